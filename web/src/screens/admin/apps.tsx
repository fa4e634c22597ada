import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ask, get, withQuery } from '../../api/client'
import { has, useSession } from '../../api/session'
import type { App } from '../../api/shapes'
import { Button } from '../../ui/button'
import { Filter, FormError } from '../../ui/field'
import { Listing } from '../../ui/listing'
import { Screen, Tools } from '../../ui/page'
import { Empty } from '../../ui/states'
import { Cell, Row } from '../../ui/table'
import { useList } from '../../ui/use-list'
import { Ago, Mono, Named } from '../../ui/values'
import { AppState } from '../apps'

const STATES = [
  { value: '', label: 'All apps' },
  { value: 'pending', label: 'Pending' },
  { value: 'approved', label: 'Approved' },
  { value: 'rejected', label: 'Rejected' },
]
const COLUMNS = [
  { name: 'App' },
  { name: 'Organization', from: 'md' },
  { name: 'Asked', from: 'md' },
  { name: 'State' },
  { name: 'Decide', hidden: true },
] as const

export function AppApprovals() {
  const { rights } = useSession()
  const client = useQueryClient()
  const list = useList()
  const status = list.query.status ?? ''
  const apps = useQuery({
    queryKey: ['admin', 'apps', status],
    queryFn: () => get<{ data: App[] }>(withQuery('/admin/apps', { status })),
  })
  const decide = useMutation({
    mutationFn: ({ id, to }: { id: string; to: 'approved' | 'rejected' }) =>
      ask('PATCH', `/admin/apps/${id}`, { status: to }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['admin'] }),
  })
  const mayChange = has(rights, 'change_instance')
  return (
    <Screen title="App approvals" note="The keys of an app answer 403 until you approve it.">
      <Tools>
        <Filter
          label="State"
          options={STATES}
          value={status}
          onChange={(event) => list.filter({ status: event.target.value })}
        />
      </Tools>
      <FormError error={decide.error} />
      <Listing
        query={apps}
        label="Apps"
        columns={COLUMNS}
        empty={<Empty title={status === 'pending' ? 'No app waits for you' : 'There is no app'} />}
        row={(row) => (
          <Row key={row.id}>
            <Cell className="max-w-40 font-medium sm:max-w-60">
              <Named>{row.name}</Named>
            </Cell>
            <Cell from="md">
              <Link to="/admin/orgs/$org" params={{ org: row.org_id }} className="hover:underline">
                <Mono>{row.org_id}</Mono>
              </Link>
            </Cell>
            <Cell from="md">
              <Ago at={row.created_at} />
            </Cell>
            <Cell>
              <AppState of={row} />
            </Cell>
            <Cell end>
              {mayChange && (
                <span className="inline-flex gap-2">
                  {row.status !== 'approved' && (
                    <Button onClick={() => decide.mutate({ id: row.id, to: 'approved' })}>
                      Approve
                    </Button>
                  )}
                  {row.status !== 'rejected' && (
                    <Button
                      kind="danger"
                      onClick={() => decide.mutate({ id: row.id, to: 'rejected' })}
                    >
                      Reject
                    </Button>
                  )}
                </span>
              )}
            </Cell>
          </Row>
        )}
      />
    </Screen>
  )
}
