import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { get } from '../api/client'
import { has, useOrg } from '../api/session'
import type { DaySum, Generation, Overview, TopRow } from '../api/shapes'
import { decimal, nano, share, usd } from '../money'
import { Badge } from '../ui/badge'
import { CostBars } from '../ui/bars'
import { buttonClass } from '../ui/button'
import { Figure, Figures } from '../ui/figures'
import { Gauge } from '../ui/gauge'
import { Card, Screen } from '../ui/page'
import { Empty, Loaded } from '../ui/states'
import { Ago, Named, Usd } from '../ui/values'
import { counted } from '../ui/words'

export function Home() {
  const { org = '' } = useParams({ strict: false })
  const { rights } = useOrg()
  const overview = useQuery({
    queryKey: ['overview', org],
    queryFn: () => get<Overview>(`/orgs/${org}/overview`),
    refetchInterval: 15_000,
  })
  return (
    <Screen title={overview.data?.org.name ?? 'Home'}>
      <Loaded query={overview}>
        {(told) =>
          told.ledger ? (
            <Content
              told={told}
              org={org}
              seesRows={has(rights, 'see_use') && rights.see_use !== 'sums'}
            />
          ) : (
            <Empty title="Nothing is booked here">
              Credits are off in the configuration, so there are no sums and no logs.
            </Empty>
          )
        }
      </Loaded>
    </Screen>
  )
}

function Content({ told, org, seesRows }: { told: Overview; org: string; seesRows: boolean }) {
  const { balance, days } = told
  const today = days.at(-1)
  const sum = (of: (day: DaySum) => bigint) => days.reduce((all, day) => all + of(day), 0n)
  const cost = decimal(sum((day) => nano(day.cost)))
  const requests = sum((day) => BigInt(day.requests))
  const failed = sum((day) => BigInt(day.failed))
  const line = balance.credit_line
  return (
    <div className="flex flex-col gap-4">
      <Banners told={told} />
      <Figures columns={4}>
        <Figure name="Balance" value={`${usd(balance.available)} USD`}>
          {line === null
            ? 'no credit limit'
            : `held ${usd(balance.held)}, owed ${usd(balance.owed)}`}
        </Figure>
        <Figure name="Today, UTC" value={`${usd(today?.cost ?? '0')} USD`}>
          {counted(today?.requests ?? 0, 'request')}
        </Figure>
        <Figure name="Last 30 days" value={`${usd(cost)} USD`}>
          {counted(requests, 'request')}
        </Figure>
        <Figure name="Failed, 30 days" value={failed.toLocaleString('en')}>
          {requests > 0n ? `${(share(failed, requests) * 100).toFixed(1)} % of all` : 'none asked'}
        </Figure>
      </Figures>
      <Card title="Cost by day">
        {requests === 0n ? (
          <Empty title="No request in 30 days">
            {seesRows && (
              <Link to="/orgs/$org/keys" params={{ org }} className={buttonClass('primary')}>
                Make a key
              </Link>
            )}
          </Empty>
        ) : (
          <CostBars days={days} />
        )}
      </Card>
      <div className="grid gap-4 lg:grid-cols-3">
        <Top title="Models" rows={told.models} />
        <Top title="API keys" rows={told.keys} to={seesRows ? org : undefined} />
        <Card title="Newest failures">
          <Failures rows={told.failures} org={org} />
        </Card>
      </div>
    </div>
  )
}

function Banners({ told }: { told: Overview }) {
  const { org, balance } = told
  const none = balance.credit_line !== null && nano(balance.available) <= 0n
  return (
    <>
      {org.suspended && (
        <p role="status" className="rounded-lg bg-bad-soft px-4 py-3 text-bad">
          This organization is suspended: its keys are refused. Ask whoever runs this gateway.
        </p>
      )}
      {none && (
        <p role="status" className="rounded-lg bg-warn-soft px-4 py-3 text-warn">
          No credit is left: requests are answered with 402 until there is more.
        </p>
      )}
    </>
  )
}

function Top({ title, rows, to }: { title: string; rows: TopRow[]; to?: string }) {
  const most = rows[0] ? nano(rows[0].cost) : 0n
  return (
    <Card title={title}>
      {rows.length === 0 && <p className="text-muted">None yet.</p>}
      <ul className="flex flex-col gap-3">
        {rows.map((row) => (
          <li key={row.id}>
            <div className="mb-1 flex items-baseline justify-between gap-3">
              <span className="min-w-0">
                {to ? (
                  <Link
                    to="/orgs/$org/keys/$key"
                    params={{ org: to, key: row.id }}
                    className="hover:underline"
                  >
                    <Named>{row.name}</Named>
                  </Link>
                ) : (
                  <Named>{row.name}</Named>
                )}
              </span>
              <Usd value={row.cost} />
            </div>
            <Gauge
              plain
              part={share(nano(row.cost), most)}
              label={counted(row.requests, 'request')}
            />
          </li>
        ))}
      </ul>
    </Card>
  )
}

function Failures({ rows, org }: { rows: Generation[]; org: string }) {
  if (rows.length === 0) return <p className="text-muted">None among the newest requests.</p>
  return (
    <ul className="flex flex-col gap-2">
      {rows.map((row) => (
        <li key={row.id}>
          <Link
            to="/orgs/$org/logs/$id"
            params={{ org, id: row.id }}
            className="-mx-2 flex items-center gap-2 rounded-md px-2 py-1 hover:bg-raised"
          >
            <Badge tone="bad">{row.status ?? 'failed'}</Badge>
            <span className="min-w-0 grow truncate">{row.error ?? row.model}</span>
            <span className="text-xs text-muted">
              <Ago at={row.created_at} />
            </span>
          </Link>
        </li>
      ))}
    </ul>
  )
}
