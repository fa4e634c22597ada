import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useRouter } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { ask, get } from '../api/client'
import { sessionQuery, useSignedIn } from '../api/session'
import type { Role, Session } from '../api/shapes'
import { Button, buttonClass } from '../ui/button'
import { FormError, fieldError, TextField } from '../ui/field'
import { Failed, Skeleton } from '../ui/states'
import { Gate, tokenOfLink } from './gate'
import { NewAccountFields } from './new-account'

interface Opened {
  email: string
  role: Role
  org: string
  has_account: boolean
}

export function AcceptInvitation() {
  const [token] = useState(tokenOfLink)
  const [account, setAccount] = useState({ name: '', password: '' })
  const router = useRouter()
  const client = useQueryClient()
  const signedIn = useSignedIn()
  const session = useQuery(sessionQuery)
  const opened = useQuery({
    queryKey: ['invitation'],
    queryFn: () => ask<Opened>('POST', '/invitations/open', { token }),
    retry: false,
  })
  const accept = useMutation({
    mutationFn: async (made: Opened) => {
      const body = made.has_account ? { token } : { token, ...account }
      const { org_id } = await ask<{ org_id: string }>('POST', '/invitations/accept', body)
      if (made.has_account) return { org_id, session: await get<Session>('/session') }
      const { password } = account
      const told = await ask<Session>('POST', '/session', { email: made.email, password })
      return { org_id, session: told }
    },
    onSuccess: ({ org_id, session }) => {
      signedIn(session)
      router.navigate({ to: '/orgs/$org', params: { org: org_id }, replace: true })
    },
  })
  const signOut = async () => {
    await ask('DELETE', '/session')
    client.setQueryData(sessionQuery.queryKey, null)
  }

  if (opened.isPending || session.isPending)
    return (
      <Gate title="Invitation">
        <Skeleton rows={3} />
      </Gate>
    )
  if (opened.error)
    return (
      <Gate title="This invitation cannot be opened">
        <Failed error={opened.error} />
      </Gate>
    )
  const { org, role, email, has_account } = opened.data
  const user = session.data?.user
  const title = `Join ${org}`
  const note = `You are invited as ${role}, with the address ${email}.`
  if (user && user.email !== email)
    return (
      <Gate title={title} note={note}>
        <p className="mb-4">You are signed in as {user.email}. Sign out to accept it.</p>
        <Button kind="primary" onClick={signOut}>
          Sign out
        </Button>
      </Gate>
    )
  if (has_account && !user)
    return (
      <Gate title={title} note={note}>
        <p className="mb-4">
          You have an account with this address. Sign in, then open the link again.
        </p>
        <Link
          to="/sign-in"
          search={{ next: `/invitation#${token}` }}
          className={buttonClass('primary')}
        >
          Sign in
        </Link>
      </Gate>
    )
  const submit = (event: FormEvent) => {
    event.preventDefault()
    accept.mutate(opened.data)
  }
  return (
    <Gate title={title} note={note}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        {!has_account && (
          <>
            <TextField label="E-mail" value={email} readOnly disabled />
            <NewAccountFields
              value={account}
              onChange={setAccount}
              errorOf={(param) => fieldError(accept.error, param)}
            />
          </>
        )}
        <FormError error={accept.error} except={has_account ? [] : ['name', 'password']} />
        <Button type="submit" kind="primary" busy={accept.isPending} className="h-9">
          {has_account ? 'Accept' : 'Create account and join'}
        </Button>
      </form>
    </Gate>
  )
}
