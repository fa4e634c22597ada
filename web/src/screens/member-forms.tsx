import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { ask } from '../api/client'
import { useOrg, useSession } from '../api/session'
import type { Member, Role } from '../api/shapes'
import { amountError } from '../money'
import { Dialog, DialogForm } from '../ui/dialog'
import { FormError, fieldError, SelectField, TextField } from '../ui/field'
import { Secret } from '../ui/secret'

const ROLES: readonly { value: Role; label: string }[] = [
  { value: 'member', label: 'Member: its own keys' },
  { value: 'billing', label: 'Billing: sums and payments' },
  { value: 'admin', label: 'Admin: all but owners' },
  { value: 'owner', label: 'Owner: everything' },
]

/** The roles that one may give: nobody gives what it has not. */
function useRoles() {
  const { role } = useOrg()
  const { instance_role } = useSession()
  const owners = role === 'owner' || instance_role === 'operator'
  return ROLES.filter((each) => each.value !== 'owner' || owners)
}

interface InviteProps {
  org: string
  onDone: () => Promise<unknown>
  onClose: () => void
}

export function InviteDialog({ org, onDone, onClose }: InviteProps) {
  const roles = useRoles()
  const [email, setEmail] = useState('')
  const [role, setRole] = useState<Role>('member')
  const invite = useMutation({
    mutationFn: () => ask<{ link: string }>('POST', `/orgs/${org}/invitations`, { email, role }),
    onSuccess: onDone,
  })
  if (invite.data)
    return (
      <Secret
        title="Send this link"
        label="Invitation"
        text={`${window.location.origin}${invite.data.link}`}
        note={`Whoever opens it joins as ${email}. It is shown this once.`}
        onClose={onClose}
      />
    )
  return (
    <Dialog open title="Invite somebody" onClose={onClose}>
      <DialogForm
        onSubmit={() => invite.mutate()}
        onCancel={onClose}
        action="Make the link"
        busy={invite.isPending}
      >
        <TextField
          label="E-mail"
          type="email"
          required
          autoFocus
          maxLength={254}
          value={email}
          onChange={(event) => setEmail(event.target.value)}
          error={fieldError(invite.error, 'email')}
        />
        <SelectField
          label="Role"
          options={roles}
          value={role}
          onChange={(event) => setRole(event.target.value as Role)}
          error={fieldError(invite.error, 'role')}
        />
        <FormError error={invite.error} except={['email', 'role']} />
      </DialogForm>
    </Dialog>
  )
}

export function MemberDialog({ org, of, onDone, onClose }: InviteProps & { of: Member }) {
  const roles = useRoles()
  const [role, setRole] = useState<Role>(of.role)
  const [limit, setLimit] = useState(of.monthly_limit ?? '')
  const wrong = amountError(limit)
  const save = useMutation({
    mutationFn: () =>
      ask('PATCH', `/orgs/${org}/members/${of.user_id}`, {
        ...(role === of.role ? {} : { role }),
        monthly_limit: limit.trim() || null,
      }),
    onSuccess: async () => {
      await onDone()
      onClose()
    },
  })
  return (
    <Dialog open title={of.email} note="A changed role signs this person out." onClose={onClose}>
      <DialogForm
        onSubmit={() => wrong === null && save.mutate()}
        onCancel={onClose}
        action="Save"
        busy={save.isPending}
      >
        <SelectField
          label="Role"
          options={roles.some((each) => each.value === of.role) ? roles : ROLES}
          value={role}
          onChange={(event) => setRole(event.target.value as Role)}
          error={fieldError(save.error, 'role')}
        />
        <TextField
          label="Limit of its keys, USD a month"
          inputMode="decimal"
          placeholder="No limit"
          value={limit}
          onChange={(event) => setLimit(event.target.value)}
          error={wrong ?? fieldError(save.error, 'monthly_limit')}
        />
        <FormError error={save.error} except={['role', 'monthly_limit']} />
      </DialogForm>
    </Dialog>
  )
}
