import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { ask, get } from '../api/client'
import { sessionQuery, useSession } from '../api/session'
import type { SignedInBrowser } from '../api/shapes'
import { Badge } from '../ui/badge'
import { Button } from '../ui/button'
import { FormError, fieldError, TextField } from '../ui/field'
import { Card, Screen } from '../ui/page'
import { Loaded } from '../ui/states'
import { Ago } from '../ui/values'
import { NewPassword } from './new-account'
import { SecondFactor } from './second-factor'

export function Account() {
  return (
    <Screen title="Account">
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Profile />
        <Password />
        <SecondFactor />
        <Sessions />
      </div>
    </Screen>
  )
}

function Profile() {
  const { user } = useSession()
  const client = useQueryClient()
  const [name, setName] = useState(user.name)
  const save = useMutation({
    mutationFn: () => ask('PATCH', '/me', { name }),
    onSuccess: () => client.invalidateQueries({ queryKey: sessionQuery.queryKey }),
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Card title="You">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label="Name"
          required
          maxLength={200}
          autoComplete="name"
          value={name}
          onChange={(event) => setName(event.target.value)}
          error={fieldError(save.error, 'name')}
        />
        <TextField
          label="E-mail"
          value={user.email}
          readOnly
          disabled
          hint="You sign in with it. It cannot be changed here."
        />
        <FormError error={save.error} except={['name']} />
        <Button
          type="submit"
          busy={save.isPending}
          disabled={name === user.name}
          className="self-start"
        >
          Save name
        </Button>
      </form>
    </Card>
  )
}

function Password() {
  const { user } = useSession()
  const [current, setCurrent] = useState('')
  const [next, setNext] = useState('')
  const client = useQueryClient()
  const change = useMutation({
    mutationFn: () => ask('PUT', '/me/password', { current, new: next }),
    onSuccess: () => {
      setCurrent('')
      setNext('')
      client.invalidateQueries({ queryKey: ['me', 'sessions'] })
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    change.mutate()
  }
  return (
    <Card title="Password">
      <form onSubmit={submit} className="flex flex-col gap-4">
        {/* For the browser's keeper of passwords. */}
        <input type="text" autoComplete="username" value={user.email} readOnly hidden />
        <TextField
          label="Current password"
          type="password"
          autoComplete="current-password"
          required
          value={current}
          onChange={(event) => setCurrent(event.target.value)}
          error={fieldError(change.error, 'password')}
        />
        <NewPassword
          label="New password"
          value={next}
          onChange={setNext}
          error={fieldError(change.error, 'new')}
        />
        <FormError error={change.error} except={['password', 'new']} />
        {change.isSuccess && (
          <p role="status" className="text-good">
            Changed. All other browsers are signed out.
          </p>
        )}
        <Button type="submit" busy={change.isPending} className="self-start">
          Change password
        </Button>
      </form>
    </Card>
  )
}

function Sessions() {
  const client = useQueryClient()
  const sessions = useQuery({
    queryKey: ['me', 'sessions'],
    queryFn: () => get<{ data: SignedInBrowser[] }>('/me/sessions'),
  })
  const end = useMutation({
    mutationFn: (id: string) => ask('DELETE', id ? `/me/sessions/${id}` : '/me/sessions'),
    onSuccess: () => client.invalidateQueries({ queryKey: ['me', 'sessions'] }),
  })
  return (
    <Card title="Where you are signed in">
      <Loaded query={sessions} rows={2}>
        {({ data }) => (
          <>
            <ul className="divide-y divide-line">
              {data.map((row) => (
                <li key={row.id} className="flex items-center gap-3 py-2.5 first:pt-0">
                  <div className="min-w-0 grow">
                    <p className="truncate" title={row.agent}>
                      {browserOf(row.agent)}
                    </p>
                    <p className="text-xs text-muted">
                      {row.address} · <Ago at={row.last_seen_at} />
                    </p>
                  </div>
                  {row.current ? (
                    <Badge tone="good">this one</Badge>
                  ) : (
                    <Button onClick={() => end.mutate(row.id)}>Sign out</Button>
                  )}
                </li>
              ))}
            </ul>
            <FormError error={end.error} />
            {data.length > 1 && (
              <Button kind="danger" className="mt-3" onClick={() => end.mutate('')}>
                Sign out all others
              </Button>
            )}
          </>
        )}
      </Loaded>
    </Card>
  )
}

/** A browser and its system, as far as its own words tell. */
function browserOf(agent: string): string {
  const browser = /(Firefox|Edg|OPR|Chrome|Safari)\//.exec(agent)?.[1] ?? 'A browser'
  const system = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/.exec(agent)?.[1]
  const names: Record<string, string> = { Edg: 'Edge', OPR: 'Opera', 'Mac OS X': 'macOS' }
  const named = (text: string) => names[text] ?? text
  return system ? `${named(browser)} on ${named(system)}` : named(browser)
}
