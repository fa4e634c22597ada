import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { get } from '../api/client'
import { decimal, nano } from '../money'
import { duration, utc } from '../time'
import { Badge } from '../ui/badge'
import { CopyIcon } from '../ui/copy'
import { Card, Facts, Screen } from '../ui/page'
import { Loaded } from '../ui/states'
import { Mono, Usd } from '../ui/values'

interface Attempt {
  provider_name: string
  model_permaslug: string
  status: number | null
  latency: number
  error: string | null
}

interface Request {
  id: string
  request_id: string
  created_at: string
  ended_at: string
  model: string
  requested_model: string
  provider_name: string | null
  key_id: string | null
  key_name: string | null
  status: number | null
  error: string | null
  settlement: string
  streamed: boolean
  finish_reason: string | null
  price_revision: string
  held: string
  usage: string
  refunded: string
  usage_estimated: boolean
  native_tokens_prompt: number | null
  native_tokens_completion: number | null
  native_tokens_reasoning: number | null
  native_tokens_cached: number | null
  native_tokens_cache_write: number | null
  time_to_first_token: number | null
  latency: number | null
  overhead: number | null
  provider_responses: Attempt[]
}

function Id({ text, label }: { text: string; label: string }) {
  return (
    <span className="-my-0.5 flex items-center gap-1">
      <Mono>{text}</Mono>
      <CopyIcon text={text} label={`Copy ${label}`} />
    </span>
  )
}

const count = (value: number | null) => (value === null ? '–' : value.toLocaleString('en'))

export function OneRequest() {
  const { org = '', id = '' } = useParams({ strict: false })
  const query = useQuery({
    queryKey: ['logs', org, 'one', id],
    queryFn: () => get<{ data: Request }>(`/orgs/${org}/generations/${encodeURIComponent(id)}`),
  })
  return (
    <Screen title="Request" note="Prompt and answer are stored nowhere.">
      <Loaded query={query}>
        {({ data }) => (
          <div className="flex flex-col gap-4">
            <Outcome of={data} org={org} />
            <Card title="Attempts">
              <Waterfall attempts={data.provider_responses} total={data.latency} />
            </Card>
            <div className="grid gap-4 lg:grid-cols-2">
              <Money of={data} />
              <Card title="Tokens">
                <Facts
                  rows={[
                    ['Input', count(data.native_tokens_prompt)],
                    ['Input, cached', count(data.native_tokens_cached)],
                    ['Input, cache write', count(data.native_tokens_cache_write)],
                    ['Output', count(data.native_tokens_completion)],
                    ['Output, reasoning', count(data.native_tokens_reasoning)],
                    [
                      'Counted by',
                      data.usage_estimated ? 'an estimate of the gateway' : 'the provider',
                    ],
                  ]}
                />
              </Card>
            </div>
          </div>
        )}
      </Loaded>
    </Screen>
  )
}

function Outcome({ of, org }: { of: Request; org: string }) {
  const failed = of.status === null || of.status >= 400 || of.error !== null
  return (
    <Card>
      <div className="mb-4 flex flex-wrap items-center gap-2">
        <Badge tone={failed ? 'bad' : 'good'}>{of.status ?? 'unknown'}</Badge>
        <span className="min-w-0 font-medium break-words">{of.error ?? of.model}</span>
      </div>
      <div className="grid gap-x-8 gap-y-2 lg:grid-cols-2">
        <Facts
          rows={[
            ['Generation', <Id key="id" text={of.id} label="generation id" />],
            ['Request', <Id key="request" text={of.request_id} label="request id" />],
            ['Requested model', of.requested_model],
            ['Model', of.model],
            ['Provider', of.provider_name ?? '–'],
            [
              'Key',
              of.key_id ? (
                <Link
                  key="key"
                  to="/orgs/$org/keys/$key"
                  params={{ org, key: of.key_id }}
                  className="text-accent hover:underline"
                >
                  <bdi>{of.key_name ?? of.key_id}</bdi>
                </Link>
              ) : (
                '–'
              ),
            ],
          ]}
        />
        <Facts
          rows={[
            ['Started', `${utc(of.created_at)} UTC`],
            ['Ended', `${utc(of.ended_at)} UTC`],
            ['First token', duration(of.time_to_first_token)],
            ['Total', duration(of.latency)],
            ['Gateway overhead', duration(of.overhead)],
            ['Finish reason', of.finish_reason ?? '–'],
            ['Delivered as', of.streamed ? 'stream' : 'one answer'],
          ]}
        />
      </div>
    </Card>
  )
}

/** Hold, charge and what of the hold went back, in the order in which they were booked. */
function Money({ of }: { of: Request }) {
  const charge = nano(of.usage)
  const left = nano(of.held) - charge
  return (
    <Card title="Money">
      <Facts
        rows={[
          ['Held', <Usd key="held" value={of.held} unit />],
          ['Charged', <Usd key="cost" value={of.usage} unit />],
          ['Released of the hold', <Usd key="back" value={decimal(left > 0n ? left : 0n)} unit />],
          ['Refunded', <Usd key="refunded" value={of.refunded} unit />],
          ['Settlement', of.settlement],
          ['Price revision', <Mono key="prices">{of.price_revision || '–'}</Mono>],
        ]}
      />
    </Card>
  )
}

/** Who was asked, one after the other, on the time of the whole request. */
function Waterfall({ attempts, total }: { attempts: Attempt[]; total: number | null }) {
  if (attempts.length === 0)
    return <p className="text-muted">No provider was asked: the gateway refused it itself.</p>
  const sum = attempts.reduce((all, each) => all + each.latency, 0)
  const whole = Math.max(total ?? 0, sum, 1)
  let begun = 0
  return (
    <ol className="flex flex-col gap-3">
      {attempts.map((each, n) => {
        const x = (begun / whole) * 100
        const width = Math.max(0.6, (each.latency / whole) * 100)
        begun += each.latency
        const failed = each.error !== null || (each.status ?? 0) >= 400 || each.status === null
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: an attempt is its place in the order
          <li key={n}>
            <div className="mb-1 flex flex-wrap items-baseline gap-x-3">
              <span className="font-medium">{each.provider_name}</span>
              <span className="min-w-0 break-all text-muted">{each.model_permaslug}</span>
              <span className={failed ? 'text-bad' : 'text-good'}>
                {each.status ?? 'no answer'}
                {each.error && ` ${each.error}`}
              </span>
              <span className="ml-auto tabular-nums">{duration(each.latency)}</span>
            </div>
            <svg
              aria-hidden="true"
              viewBox="0 0 100 6"
              preserveAspectRatio="none"
              className="h-1.5 w-full rounded-full"
            >
              <rect width="100" height="6" className="fill-raised" />
              <rect x={x} width={width} height="6" className={failed ? 'fill-bad' : 'fill-bar'} />
            </svg>
          </li>
        )
      })}
    </ol>
  )
}
