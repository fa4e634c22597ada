import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { ApiError, ask, get } from '../api/client'
import type { Key, Session } from '../api/shapes'
import { Button, buttonClass } from '../ui/button'
import { Code } from '../ui/copy'
import { Facts } from '../ui/page'
import { Failed } from '../ui/states'
import { Usd } from '../ui/values'
import { Gate } from './gate'

interface Answered {
  text: string
  generation: string
  ms: number
}

interface Booked {
  provider_name: string | null
  usage: string
}

const PROMPT = 'Say hello in five words.'
// Keys reach the gateway's core a quarter of a second after they are made, on a busy machine later.
const FED_MS = 400
const TRIES = 8

async function complete(base: string, model: string, key: string): Promise<Answered> {
  const began = performance.now()
  for (let n = 1; ; n++) {
    const response = await fetch(`${base}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model, messages: [{ role: 'user', content: PROMPT }] }),
    })
    const told = await response.json()
    if (response.status === 401 && n < TRIES) {
      await new Promise((done) => window.setTimeout(done, FED_MS))
      continue
    }
    if (!response.ok)
      throw new ApiError(response.status, String(told.error?.code), String(told.error?.message))
    return {
      text: String(told.choices[0].message.content),
      generation: String(told.id),
      ms: performance.now() - began,
    }
  }
}

/** The first request, sent from here with a key that ends within the hour. */
export function FirstRequest({ session, org }: { session: Session; org: string }) {
  const { api_base, credits, example_model } = session.features
  const [key, setKey] = useState<string | null>(null)
  const send = useMutation({
    mutationFn: async () => {
      let text = key
      if (text === null) {
        const body = { name: 'First request', expires_in: 3600, limit: '1' }
        text = (await ask<{ data: Key; key: string }>('POST', `/orgs/${org}/keys`, body)).key
        setKey(text)
        await new Promise((done) => window.setTimeout(done, FED_MS))
      }
      const answered = await complete(api_base, example_model, text)
      const path = `/orgs/${org}/generations/${answered.generation}`
      const booked = credits ? (await get<{ data: Booked }>(path)).data : null
      return { ...answered, booked }
    },
  })
  const curl = [
    `curl ${window.location.origin}${api_base}/chat/completions \\`,
    `  -H "Authorization: Bearer ${key ?? '$API_KEY'}" \\`,
    `  -H "Content-Type: application/json" \\`,
    `  -d '{"model": "${example_model}", "messages": [{"role": "user", "content": "${PROMPT}"}]}'`,
  ].join('\n')
  return (
    <Gate
      wide
      title="Send a request"
      note="The button sends what the command would, with a key that ends in an hour."
    >
      <Code text={curl} label="Command" />
      {send.data && (
        <div className="mt-4 rounded-lg border border-line bg-surface p-4" role="status">
          <p className="mb-3 font-medium break-words">{send.data.text}</p>
          <Facts
            rows={[
              ['Provider', send.data.booked?.provider_name ?? '–'],
              ['Cost', <Usd key="cost" value={send.data.booked?.usage} unit />],
              ['Time', `${Math.round(send.data.ms)} ms`],
              [
                'In the logs',
                <Link
                  key="log"
                  to="/orgs/$org/logs/$id"
                  params={{ org, id: send.data.generation }}
                  className="font-mono text-xs text-accent underline underline-offset-2 break-all"
                >
                  {send.data.generation}
                </Link>,
              ],
            ]}
          />
        </div>
      )}
      {send.error && (
        <div className="mt-4">
          <Failed error={send.error} />
        </div>
      )}
      <div className="mt-6 flex justify-end gap-2">
        <Link
          to="/orgs/$org"
          params={{ org }}
          className={buttonClass(send.data ? 'primary' : 'plain', 'h-9')}
        >
          Open the console
        </Link>
        {!send.data && (
          <Button
            kind="primary"
            busy={send.isPending}
            onClick={() => send.mutate()}
            className="h-9"
          >
            Send it
          </Button>
        )}
      </div>
    </Gate>
  )
}
