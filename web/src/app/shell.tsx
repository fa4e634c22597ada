import { Dialog } from '@base-ui/react/dialog'
import { useQuery } from '@tanstack/react-query'
import { Link, Outlet, useNavigate } from '@tanstack/react-router'
import { Check, ChevronsUpDown, Menu as MenuIcon, Search, X } from 'lucide-react'
import { useEffect, useState } from 'react'
import { get } from '../api/client'
import { useSession } from '../api/session'
import type { Org } from '../api/shapes'
import { IconButton } from '../ui/button'
import { Menu, MenuItem } from '../ui/menu'
import { AccountMenu } from './account-menu'
import { instancePlaces, orgPlaces, type Place } from './navigation'
import { Offline } from './offline'
import { Palette } from './palette'
import { Reauthentication } from './reauthentication'
import { useShownOrg } from './shown-org'

function OrgSwitcher({ org }: { org: string }) {
  const session = useSession()
  const navigate = useNavigate()
  const own = session.orgs.find((each) => each.id === org)
  // An operator may look at an organization that it is no member of.
  const foreign = useQuery({
    queryKey: ['admin', 'org', org],
    queryFn: () => get<{ data: Org }>(`/admin/orgs/${org}`),
    enabled: !own && org !== '' && session.rights.see_instance !== undefined,
  })
  const name = own?.name ?? foreign.data?.data.name ?? (org || 'No organization')
  return (
    <Menu
      align="start"
      trigger={
        <button
          type="button"
          className="flex h-9 w-full min-w-0 items-center gap-2 rounded-md px-2 text-left font-medium hover:bg-raised"
        >
          <span
            aria-hidden="true"
            className="flex size-5 shrink-0 items-center justify-center rounded bg-inverse text-xs text-on-inverse"
          >
            {[...name][0]?.toUpperCase()}
          </span>
          <span className="sr-only">Organization: </span>
          <bdi className="min-w-0 grow truncate">{name}</bdi>
          <ChevronsUpDown aria-hidden="true" className="size-3.5 shrink-0 text-muted" />
        </button>
      }
    >
      {session.orgs.map((each) => (
        <MenuItem
          key={each.id}
          marked={each.id === org}
          icon={each.id === org ? <Check /> : <span className="size-4" />}
          onSelect={() => navigate({ to: '/orgs/$org', params: { org: each.id } })}
        >
          <bdi>{each.name}</bdi>
        </MenuItem>
      ))}
    </Menu>
  )
}

function Places({ places, title }: { places: readonly Place[]; title?: string }) {
  if (places.length === 0) return null
  return (
    <div className="mt-4">
      {title && <p className="mb-1 px-2 text-xs font-medium text-muted">{title}</p>}
      <ul className="flex flex-col gap-px">
        {places.map(({ label, icon: Icon, to }) => (
          <li key={to}>
            <Link
              to={to}
              activeOptions={{ exact: /^\/(orgs\/[^/]+|admin)$/.test(to), includeSearch: false }}
              className="flex h-8 items-center gap-2.5 rounded-md px-2 text-muted hover:bg-raised hover:text-text"
              activeProps={{
                className: 'bg-raised text-text! font-medium',
                'aria-current': 'page',
              }}
            >
              <Icon aria-hidden="true" className="size-4" />
              {label}
            </Link>
          </li>
        ))}
      </ul>
    </div>
  )
}

function Navigation({ org, onSearch }: { org: string; onSearch: () => void }) {
  const session = useSession()
  const own = session.orgs.find((each) => each.id === org)
  return (
    <nav aria-label="Main" className="flex h-full flex-col p-3">
      <OrgSwitcher org={org} />
      <button
        type="button"
        onClick={onSearch}
        className="mt-2 flex h-8 shrink-0 items-center gap-2.5 rounded-md border border-line bg-surface px-2 text-muted hover:bg-raised"
      >
        <Search aria-hidden="true" className="size-4" />
        <span className="grow text-left">Go to…</span>
        <kbd className="font-sans text-xs">⌘K</kbd>
      </button>
      <div className="-mx-1 grow overflow-y-auto px-1 pb-3">
        {org && <Places places={orgPlaces(org, own?.rights ?? session.rights)} />}
        <Places title="Operator" places={instancePlaces(session.rights)} />
      </div>
      <AccountMenu />
    </nav>
  )
}

export function Shell() {
  const org = useShownOrg()
  const [drawer, setDrawer] = useState(false)
  const [palette, setPalette] = useState(false)
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'k' || !(event.metaKey || event.ctrlKey)) return
      event.preventDefault()
      setPalette((value) => !value)
    }
    window.addEventListener('keydown', pressed)
    return () => window.removeEventListener('keydown', pressed)
  }, [])
  const search = () => {
    setDrawer(false)
    setPalette(true)
  }
  return (
    <div className="flex min-h-dvh max-md:flex-col">
      <a
        href="#content"
        className="fixed top-2 left-2 z-50 -translate-y-16 rounded-md bg-inverse px-3 py-2 text-on-inverse focus:translate-y-0"
      >
        Skip to content
      </a>
      <aside className="sticky top-0 h-dvh w-60 shrink-0 border-r border-line max-md:hidden">
        <Navigation org={org} onSearch={search} />
      </aside>
      <header className="sticky top-0 z-30 flex h-12 items-center justify-between border-b border-line bg-canvas px-3 md:hidden">
        <Dialog.Root open={drawer} onOpenChange={setDrawer}>
          <Dialog.Trigger
            render={
              <IconButton label="Menu">
                <MenuIcon />
              </IconButton>
            }
          />
          <Dialog.Portal>
            <Dialog.Backdrop className="fade fixed inset-0 z-40 bg-black/40" />
            <Dialog.Popup
              className="fixed inset-y-0 left-0 z-50 w-68 border-r border-line bg-canvas shadow-pop"
              onClick={(event) => (event.target as Element).closest('a') && setDrawer(false)}
            >
              <Dialog.Title className="sr-only">Menu</Dialog.Title>
              <Dialog.Close
                render={
                  <IconButton label="Close the menu" className="absolute top-3 -right-9 text-white">
                    <X />
                  </IconButton>
                }
              />
              <Navigation org={org} onSearch={search} />
            </Dialog.Popup>
          </Dialog.Portal>
        </Dialog.Root>
        <span className="font-semibold tracking-tight">seekroute</span>
        <IconButton label="Go to…" onClick={search}>
          <Search />
        </IconButton>
      </header>
      <main id="content" className="min-w-0 grow">
        <Offline />
        <Outlet />
      </main>
      <Palette open={palette} onClose={() => setPalette(false)} org={org} />
      <Reauthentication />
    </div>
  )
}
