import { useMutation, useQuery } from '@tanstack/react-query'
import { useRouter, useSearch } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { ApiError, ask, get } from '../api/client'
import { useSignedIn } from '../api/session'
import type { Session } from '../api/shapes'
import { Button } from '../ui/button'
import { FormError, fieldError, TextField } from '../ui/field'
import { Gate } from './gate'

interface Challenge {
  mfa: string[]
  challenge: string
}

/** A path of the console alone: a link that comes with a foreign `next` leads nowhere else. */
function destination(next: string | undefined): string {
  return next?.startsWith('/') && !/^\/[/\\]/.test(next) ? next : '/'
}

export function SignIn() {
  const { next } = useSearch({ from: '/sign-in' })
  const router = useRouter()
  const signedIn = useSignedIn()
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const [challenge, setChallenge] = useState<string | null>(null)
  const setup = useQuery({
    queryKey: ['setup'],
    queryFn: () => get<{ needed: boolean }>('/setup'),
  })
  const enter = useMutation({
    mutationFn: () =>
      challenge === null
        ? ask<Session | Challenge>('POST', '/session', { email, password })
        : ask<Session | Challenge>('POST', '/session/mfa', { challenge, code }),
    onSuccess: (told) => {
      setPassword('')
      if ('challenge' in told) return setChallenge(told.challenge)
      signedIn(told)
      router.history.push(`/console${destination(next)}`)
    },
    onError: (error) => {
      setCode('')
      if (error instanceof ApiError && error.code === 'not_signed_in') setChallenge(null)
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    enter.mutate()
  }

  if (setup.data?.needed)
    return (
      <Gate title="Nobody has set this gateway up yet">
        <p className="text-muted">
          Open the link that the server printed when it started. For a new one, run on its machine:
        </p>
        <pre className="mt-3 rounded-md border border-line bg-surface p-3 font-mono text-xs">
          seekroute console setup-link
        </pre>
      </Gate>
    )
  if (challenge !== null)
    return (
      <Gate
        title="Second factor"
        note="Enter the code that your app shows, or one of your recovery codes."
      >
        <form onSubmit={submit} className="flex flex-col gap-4">
          <TextField
            key="code"
            label="Code"
            autoComplete="one-time-code"
            autoFocus
            required
            value={code}
            onChange={(event) => setCode(event.target.value)}
            error={fieldError(enter.error, 'code')}
          />
          <FormError error={enter.error} except={['code']} />
          <Button type="submit" kind="primary" busy={enter.isPending} className="h-9">
            Continue
          </Button>
        </form>
      </Gate>
    )
  return (
    <Gate title="Sign in to seekroute">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label="E-mail"
          type="email"
          autoComplete="username"
          autoFocus
          required
          value={email}
          onChange={(event) => setEmail(event.target.value)}
        />
        <TextField
          label="Password"
          type="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        <FormError error={enter.error} />
        <Button type="submit" kind="primary" busy={enter.isPending} className="h-9">
          Sign in
        </Button>
        <p className="text-xs text-muted">
          Forgotten your password? Whoever runs this gateway can make you a link that sets a new
          one.
        </p>
      </form>
    </Gate>
  )
}
