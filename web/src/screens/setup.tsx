import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { ask, get } from '../api/client'
import { useSignedIn } from '../api/session'
import type { Session } from '../api/shapes'
import { Button, buttonClass } from '../ui/button'
import { FormError, fieldError, TextField } from '../ui/field'
import { Skeleton } from '../ui/states'
import { Gate, tokenOfLink } from './gate'
import { NewAccountFields } from './new-account'
import { FirstRequest } from './setup-first-request'
import { Found } from './setup-found'

/** The first visit: who runs this gateway, what was found, and a first answer. */
export function Setup() {
  const [session, setSession] = useState<Session | null>(null)
  const [page, setPage] = useState<'found' | 'request'>('found')
  const state = useQuery({ queryKey: ['setup'], queryFn: () => get<{ needed: boolean }>('/setup') })
  const org = session?.orgs[0]
  if (session && org)
    return page === 'found' ? (
      <Found onNext={() => setPage('request')} />
    ) : (
      <FirstRequest session={session} org={org.id} />
    )
  if (state.isPending)
    return (
      <Gate title="Welcome to seekroute">
        <Skeleton rows={4} />
      </Gate>
    )
  if (state.data && !state.data.needed)
    return (
      <Gate title="This gateway is set up" note="Its first operator has made it theirs.">
        <Link to="/sign-in" className={buttonClass('primary', 'h-9 w-full')}>
          Sign in
        </Link>
      </Gate>
    )
  return <Operator onMade={setSession} />
}

function Operator({ onMade }: { onMade: (session: Session) => void }) {
  const [token] = useState(tokenOfLink)
  const [email, setEmail] = useState('')
  const [account, setAccount] = useState({ name: '', password: '' })
  const signedIn = useSignedIn()
  const make = useMutation({
    mutationFn: () => ask<Session>('POST', '/setup', { token, email, ...account }),
    onSuccess: (told) => {
      window.history.replaceState(null, '', window.location.pathname)
      signedIn(told)
      onMade(told)
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    make.mutate()
  }
  return (
    <Gate
      title="Who runs this gateway?"
      note="You become its operator, and the owner of its first organization."
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label="E-mail"
          type="email"
          autoComplete="username"
          autoFocus
          required
          maxLength={254}
          value={email}
          onChange={(event) => setEmail(event.target.value)}
          error={fieldError(make.error, 'email')}
        />
        <NewAccountFields
          value={account}
          onChange={setAccount}
          errorOf={(param) => fieldError(make.error, param)}
        />
        <FormError error={make.error} except={['email', 'name', 'password']} />
        <Button type="submit" kind="primary" busy={make.isPending} className="h-9">
          Create operator
        </Button>
      </form>
    </Gate>
  )
}
