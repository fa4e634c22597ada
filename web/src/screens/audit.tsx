import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { get, withQuery } from '../api/client'
import type { AuditRow, Page } from '../api/shapes'
import { utc } from '../time'
import { Listing } from '../ui/listing'
import { Screen } from '../ui/page'
import { Empty } from '../ui/states'
import { Cell, Row } from '../ui/table'
import { useList } from '../ui/use-list'
import { Mono } from '../ui/values'

const COLUMNS = [
  { name: 'Time, UTC' },
  { name: 'Who' },
  { name: 'What' },
  { name: 'Change', from: 'lg' },
  { name: 'From', from: 'lg' },
] as const

/** Who changed what: of the organization that the path names, or else of all. */
export function Audit() {
  const { org } = useParams({ strict: false })
  const list = useList()
  const cursor = list.query.cursor ?? ''
  const path = org ? `/orgs/${org}/audit` : '/admin/audit'
  const rows = useQuery({
    queryKey: ['audit', path, cursor],
    queryFn: () => get<Page<AuditRow>>(withQuery(path, { cursor })),
    placeholderData: keepPreviousData,
  })
  return (
    <Screen
      title={org ? 'Audit log' : 'Audit of all'}
      note="Who changed what. Rows are chained: one that was changed or taken out shows."
    >
      <Listing
        query={rows}
        label="Audit log"
        columns={COLUMNS}
        list={list}
        empty={<Empty title="Nothing was changed yet" />}
        row={(row) => (
          <Row key={row.n} className="align-top">
            <Cell className="whitespace-nowrap">
              <time dateTime={row.at}>
                <span className="max-md:block">{utc(row.at).slice(0, 10)} </span>
                {utc(row.at).slice(11)}
              </time>
            </Cell>
            <Cell className="max-w-24 truncate sm:max-w-52">
              <bdi title={row.actor.label}>{row.actor.label || row.actor.kind}</bdi>
            </Cell>
            <Cell>
              <span className="font-medium">{row.action}</span>
              <span className="block max-w-28 truncate text-muted sm:max-w-64">
                <bdi title={row.target}>{row.target}</bdi>
              </span>
            </Cell>
            <Cell from="lg" className="max-w-72">
              <Change before={row.before} after={row.after} />
            </Cell>
            <Cell from="lg" className="text-muted">
              {row.address || '–'}
            </Cell>
          </Row>
        )}
      />
    </Screen>
  )
}

function Change({ before, after }: { before: string | null; after: string | null }) {
  const was = before === '{}' ? null : before
  if (was === null && after === null) return <span className="text-muted">–</span>
  return (
    <span className="line-clamp-3">
      {was && (
        <del className="text-muted">
          <Mono>{was}</Mono>
        </del>
      )}{' '}
      {after && <Mono>{after}</Mono>}
    </span>
  )
}
