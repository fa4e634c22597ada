import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { get } from '../../api/client'
import { decimal, nano, usd } from '../../money'
import { Figure, Figures } from '../../ui/figures'
import { Card, Screen } from '../../ui/page'
import { Empty, Loaded } from '../../ui/states'
import { Usd } from '../../ui/values'

interface Overview {
  orgs: number
  suspended: number
  pending_apps: number
  waiting_orders: number
  warnings: string[]
  liability?: string
  held?: string
  owed?: string
  debtors?: { id: string; name: string; owed: string }[]
  books?: { cash: string; revenue: string; loss: string }
}

// What came in and what was lost stand in the books on the other side, with a minus.
const turned = (amount: string) => `${usd(decimal(-nano(amount)))} USD`

/** Is money right, and does anything wait for the operator. */
export function Today() {
  const overview = useQuery({
    queryKey: ['admin', 'overview'],
    queryFn: () => get<Overview>('/admin/overview'),
    refetchInterval: 15_000,
  })
  return (
    <Screen title="Today" note="The money of all organizations, and what waits for you.">
      <Loaded query={overview}>
        {(told) => (
          <div className="flex flex-col gap-4">
            <Waiting told={told} />
            {told.books ? (
              <Figures columns={3}>
                <Figure name="Received" value={turned(told.books.cash)}>
                  paid in or given, in all
                </Figure>
                <Figure name="Earned" value={`${usd(told.books.revenue)} USD`}>
                  booked as revenue
                </Figure>
                <Figure name="Lost" value={turned(told.books.loss)}>
                  costs that no customer is charged
                </Figure>
                <Figure name="Customers have left" value={`${usd(told.liability ?? '0')} USD`} />
                <Figure name="Held by running requests" value={`${usd(told.held ?? '0')} USD`} />
                <Figure name="Customers owe" value={`${usd(told.owed ?? '0')} USD`} />
              </Figures>
            ) : (
              <Empty title="Nothing is booked here">Credits are off in the configuration.</Empty>
            )}
            <Card title="Who owes most">
              {(told.debtors ?? []).length === 0 && <p className="text-muted">Nobody owes.</p>}
              <ul className="flex flex-col gap-2">
                {told.debtors?.map((row) => (
                  <li key={row.id} className="flex justify-between gap-4">
                    <Link
                      to="/admin/orgs/$org"
                      params={{ org: row.id }}
                      className="min-w-0 truncate text-accent hover:underline"
                    >
                      <bdi>{row.name}</bdi>
                    </Link>
                    <Usd value={row.owed} unit />
                  </li>
                ))}
              </ul>
            </Card>
          </div>
        )}
      </Loaded>
    </Screen>
  )
}

function Waiting({ told }: { told: Overview }) {
  const rows = [
    ['Apps to approve', '/admin/apps', told.pending_apps],
    ['Suspended organizations', '/admin/orgs', told.suspended],
    ['Orders that are not booked yet', '/admin/system', told.waiting_orders],
    ['Warnings of the configuration', '/admin/system', told.warnings.length],
  ] as const
  const waiting = rows.filter(([, , count]) => count > 0)
  if (waiting.length === 0)
    return (
      <p role="status" className="rounded-lg bg-good-soft px-4 py-3 text-good">
        Nothing waits for you.
      </p>
    )
  return (
    <ul className="divide-y divide-line rounded-lg border border-line bg-surface">
      {waiting.map(([name, to, count]) => (
        <li key={name}>
          <Link to={to} className="flex justify-between gap-4 px-4 py-2.5 hover:bg-raised">
            {name}
            <span className="font-medium tabular-nums">{count}</span>
          </Link>
        </li>
      ))}
    </ul>
  )
}
