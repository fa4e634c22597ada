import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Ellipsis } from 'lucide-react'
import { useState } from 'react'
import { ask } from '../../api/client'
import type { User } from '../../api/shapes'
import { IconButton } from '../../ui/button'
import { Confirm } from '../../ui/confirm'
import { Menu, MenuItem } from '../../ui/menu'
import { Secret } from '../../ui/secret'

interface Change {
  action: string
  title: string
  note: string
  danger?: boolean
  run: () => Promise<unknown>
}

/** What an operator may do to an account, each after a question. */
export function UserActions({ of }: { of: User }) {
  const client = useQueryClient()
  const [change, setChange] = useState<Change | null>(null)
  const path = `/admin/users/${of.id}`
  const reset = useMutation({
    mutationFn: () => ask<{ link: string }>('POST', `${path}/reset-link`),
  })
  const edit = (body: object) =>
    ask('PATCH', path, body).then(() => client.invalidateQueries({ queryKey: ['admin', 'users'] }))

  const changes: Change[] = [
    {
      action: 'Link for a new password',
      title: `Make a link that sets a new password for ${of.email}?`,
      note: 'You see the link once, and send it yourself. It holds for an hour.',
      run: () => reset.mutateAsync(),
    },
    {
      action: 'Sign out everywhere',
      title: `Sign ${of.email} out everywhere?`,
      note: 'It may sign in again.',
      run: () => ask('POST', `${path}/end-sessions`),
    },
    {
      action: 'Make operator',
      title: `Make ${of.email} an operator?`,
      note: 'It may then see and change everything here.',
      run: () => edit({ instance_role: 'operator' }),
    },
    {
      action: 'Make support',
      title: `Let ${of.email} support others?`,
      note: 'It may then see all organizations, and change none.',
      run: () => edit({ instance_role: 'support' }),
    },
    {
      action: `Take role ${of.instance_role}`,
      title: `Take the role ${of.instance_role} from ${of.email}?`,
      note: 'Its organizations stay.',
      danger: true,
      run: () => edit({ instance_role: null }),
    },
    {
      action: of.disabled ? 'Enable' : 'Disable',
      title: `${of.disabled ? 'Enable' : 'Disable'} ${of.email}?`,
      note: of.disabled
        ? 'It may sign in again.'
        : 'It is signed out, and cannot sign in. The keys that it made go on working.',
      danger: !of.disabled,
      run: () => edit({ disabled: !of.disabled }),
    },
  ]
  const offered = changes.filter(
    ({ action }) =>
      action !== 'Take role null' && action.toLowerCase() !== `make ${of.instance_role}`,
  )
  return (
    <>
      <Menu
        trigger={
          <IconButton label={`Change ${of.email}`}>
            <Ellipsis />
          </IconButton>
        }
      >
        {offered.map((each) => (
          <MenuItem key={each.action} danger={each.danger} onSelect={() => setChange(each)}>
            {each.action}
          </MenuItem>
        ))}
      </Menu>
      {change && (
        <Confirm
          open
          title={change.title}
          note={change.note}
          action={change.action}
          danger={change.danger}
          onConfirm={change.run}
          onClose={() => setChange(null)}
        />
      )}
      <Secret
        title="Send this link"
        label="Link"
        text={reset.data ? `${window.location.origin}${reset.data.link}` : null}
        note={`Whoever opens it within an hour sets the password of ${of.email}. It is shown this once.`}
        onClose={() => reset.reset()}
      />
    </>
  )
}
