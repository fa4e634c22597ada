import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { get, withQuery } from '../api/client'
import type { Generation, Key, Page } from '../api/shapes'
import { duration, utc } from '../time'
import { Badge } from '../ui/badge'
import { Button, buttonClass } from '../ui/button'
import { Filter, SearchBox } from '../ui/field'
import { Screen, Tools } from '../ui/page'
import { Empty, Loaded } from '../ui/states'
import { Cell, Head, Pager, Row, Table } from '../ui/table'
import { useList } from '../ui/use-list'
import { Named, Usd } from '../ui/values'

const STATUSES = [
  { value: '', label: 'All requests' },
  { value: 'failed', label: 'Failed' },
  { value: 'ok', label: 'Answered' },
]
const COLUMNS = [
  { name: 'Time, UTC' },
  { name: 'Model' },
  { name: 'Provider', from: 'lg' },
  { name: 'Key', from: 'lg' },
  { name: 'Status' },
  { name: 'In / out', end: true, from: 'md' },
  { name: 'Cost, USD', end: true },
  { name: 'First', end: true, from: 'lg' },
  { name: 'Total', end: true, from: 'md' },
] as const
const MOST_KEYS = 100

function Status({ of }: { of: Generation }) {
  if (of.status === null) return <Badge tone="warn">{of.state}</Badge>
  return <Badge tone={of.status < 400 && !of.error ? 'good' : 'bad'}>{of.status}</Badge>
}

export function Logs() {
  const { org = '' } = useParams({ strict: false })
  const list = useList()
  const { key = '', model = '', status = '', cursor = '' } = list.query
  const logs = useQuery({
    queryKey: ['logs', org, key, model, status, cursor],
    queryFn: () =>
      get<Page<Generation>>(withQuery(`/orgs/${org}/generations`, { key, model, status, cursor })),
    placeholderData: keepPreviousData,
    // Only the newest page is alive: an older one does not change.
    refetchInterval: cursor ? false : 10_000,
  })
  const keys = useQuery({
    queryKey: ['keys', org, 'names'],
    queryFn: () =>
      get<Page<Key>>(withQuery(`/orgs/${org}/keys`, { state: 'all', limit: MOST_KEYS })),
    staleTime: 60_000,
  })
  const names = keys.data?.data.map((row) => ({ value: row.id, label: row.name })) ?? []
  const filtered = key || model || status
  return (
    <Screen
      title="Logs"
      note="Every request, newest first. Prompts and answers are stored nowhere."
    >
      <Tools>
        <Filter
          label="Status"
          options={STATUSES}
          value={status}
          onChange={(event) => list.filter({ status: event.target.value })}
        />
        <Filter
          label="Key"
          options={[{ value: '', label: 'All keys' }, ...names]}
          value={key}
          onChange={(event) => list.filter({ key: event.target.value })}
        />
        <form
          onSubmit={(event) => {
            event.preventDefault()
            list.filter({
              model: String(new FormData(event.currentTarget).get('model') ?? '').trim(),
            })
          }}
          className="max-sm:w-full"
        >
          <SearchBox label="Model id, Enter" name="model" key={model} defaultValue={model} />
        </form>
      </Tools>
      <Loaded query={logs}>
        {({ data, next, scanned_to }) => (
          <>
            {data.length === 0 && scanned_to === null && (
              <Empty title={filtered || cursor ? 'No request matches' : 'No request yet'}>
                {filtered || cursor ? (
                  <Button onClick={() => list.filter({ key: '', model: '', status: '' })}>
                    Clear the filters
                  </Button>
                ) : (
                  <Link to="/orgs/$org/keys" params={{ org }} className={buttonClass()}>
                    Make a key
                  </Link>
                )}
              </Empty>
            )}
            {data.length > 0 && <Rows rows={data} org={org} />}
            {scanned_to && (
              <p role="status" className="mt-3 text-muted">
                Searched back to {utc(scanned_to)} UTC. “Older” goes on from there.
              </p>
            )}
            <Pager
              later={cursor !== ''}
              next={next}
              onNewest={() => list.filter({})}
              onOlder={list.page}
            />
          </>
        )}
      </Loaded>
    </Screen>
  )
}

function Rows({ rows, org }: { rows: Generation[]; org: string }) {
  return (
    <Table label="Requests">
      <Head columns={COLUMNS} />
      <tbody>
        {rows.map((row) => (
          <Row key={row.id}>
            <Cell className="whitespace-nowrap">
              <Link
                to="/orgs/$org/logs/$id"
                params={{ org, id: row.id }}
                className="text-accent hover:underline"
              >
                <time dateTime={row.created_at}>
                  <span className="max-md:hidden">{utc(row.created_at).slice(0, 10)} </span>
                  {utc(row.created_at).slice(11)}
                </time>
              </Link>
            </Cell>
            <Cell className="max-w-24 sm:max-w-60">
              <Named>{row.model}</Named>
            </Cell>
            <Cell from="lg">{row.provider ?? '–'}</Cell>
            <Cell from="lg" className="max-w-40">
              <Named>{row.key_name ?? row.key_id ?? '–'}</Named>
            </Cell>
            <Cell>
              <Status of={row} />
            </Cell>
            <Cell end from="md">
              {row.prompt_tokens === null ? '–' : `${row.prompt_tokens} / ${row.completion_tokens}`}
            </Cell>
            <Cell end>
              <Usd value={row.cost} />
            </Cell>
            <Cell end from="lg">
              {duration(row.first_ms)}
            </Cell>
            <Cell end from="md">
              {duration(row.total_ms)}
            </Cell>
          </Row>
        ))}
      </tbody>
    </Table>
  )
}
