import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { LogOut, Monitor, Moon, Sun, UserRound } from 'lucide-react'
import { ask } from '../api/client'
import { sessionQuery, useSession } from '../api/session'
import { Menu, MenuItem, MenuLine } from '../ui/menu'
import { setTheme, type Theme, useTheme } from './theme'

const THEMES: readonly [Theme, string, typeof Sun][] = [
  ['system', 'Theme of the system', Monitor],
  ['light', 'Light', Sun],
  ['dark', 'Dark', Moon],
]

export function AccountMenu() {
  const { user } = useSession()
  const theme = useTheme()
  const navigate = useNavigate()
  const client = useQueryClient()
  const signOut = async () => {
    await ask('DELETE', '/session')
    client.clear()
    client.setQueryData(sessionQuery.queryKey, null)
    await navigate({ to: '/sign-in' })
  }
  return (
    <Menu
      align="start"
      side="top"
      trigger={
        <button
          type="button"
          className="flex w-full min-w-0 items-center gap-2.5 rounded-md p-2 text-left hover:bg-raised"
        >
          <span
            aria-hidden="true"
            className="flex size-7 shrink-0 items-center justify-center rounded-full bg-accent-soft font-medium text-accent"
          >
            {[...user.name][0]?.toUpperCase()}
          </span>
          <span className="sr-only">Account of </span>
          <span className="min-w-0">
            <bdi className="block truncate font-medium">{user.name}</bdi>
            <span className="block truncate text-xs text-muted">{user.email}</span>
          </span>
        </button>
      }
    >
      <MenuItem icon={<UserRound />} onSelect={() => navigate({ to: '/account' })}>
        Account
      </MenuItem>
      <MenuLine />
      {THEMES.map(([value, label, Icon]) => (
        <MenuItem
          key={value}
          marked={theme === value}
          icon={<Icon />}
          onSelect={() => setTheme(value)}
        >
          {label}
          {theme === value && ' ✓'}
        </MenuItem>
      ))}
      <MenuLine />
      <MenuItem icon={<LogOut />} onSelect={signOut}>
        Sign out
      </MenuItem>
    </Menu>
  )
}
