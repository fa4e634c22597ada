import { useQuery } from '@tanstack/react-query'
import { get } from '../api/client'
import { decimal, nano } from '../money'
import { Button } from '../ui/button'
import { CopyIcon } from '../ui/copy'
import { SearchBox } from '../ui/field'
import { Screen, Tools } from '../ui/page'
import { Empty, Loaded } from '../ui/states'
import { Cell, Head, Row, Table } from '../ui/table'
import { useList, useTyped } from '../ui/use-list'
import { Named, Usd } from '../ui/values'
import { counted } from '../ui/words'

interface Model {
  id: string
  name: string
  context_length: number | null
  pricing: { prompt?: string; completion?: string } | null
  architecture: { input_modalities: string[]; output_modalities: string[] }
}

const COLUMNS = [
  { name: 'Model' },
  { name: 'Input', from: 'lg' },
  { name: 'Context', end: true, from: 'md' },
  { name: 'In / 1 M', end: true },
  { name: 'Out / 1 M', end: true },
] as const
// A list that is longer is searched, not scrolled.
const MOST_SHOWN = 200

/** The price of a million tokens, given that of one. Prices may be below a nano-USD a token. */
function perMillion(price: string | undefined): string | null {
  if (price === undefined || price.startsWith('-')) return null
  const [whole = '0', part = ''] = price.split('.')
  const shifted = `${whole}${part.padEnd(6, '0').slice(0, 6)}.${part.slice(6)}`
  return decimal(nano(shifted))
}

export function Models() {
  const list = useList()
  const [text, setText] = useTyped(list, 'q')
  const models = useQuery({
    queryKey: ['models'],
    queryFn: () => get<{ data: Model[] }>('/models'),
    staleTime: 60_000,
  })
  const words = (list.query.q ?? '').toLowerCase().split(/\s+/).filter(Boolean)
  return (
    <Screen
      title="Models"
      note="What this gateway serves now. Prices are USD for a million tokens."
    >
      <Tools>
        <SearchBox
          label="Search models"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </Tools>
      <Loaded query={models}>
        {({ data }) => {
          const found = data.filter((row) =>
            words.every((word) => `${row.id} ${row.name}`.toLowerCase().includes(word)),
          )
          if (found.length === 0)
            return words.length > 0 ? (
              <Empty title="No model matches">
                <Button onClick={() => setText('')}>Clear the search</Button>
              </Empty>
            ) : (
              <Empty title="No model is served">
                The server needs the key of a provider. Its log says which are missing.
              </Empty>
            )
          return (
            <>
              <Rows rows={found.slice(0, MOST_SHOWN)} />
              <p className="mt-3 text-muted">
                {counted(found.length, 'model')}
                {found.length > MOST_SHOWN && `, of which ${MOST_SHOWN} are shown: search for more`}
              </p>
            </>
          )
        }}
      </Loaded>
    </Screen>
  )
}

function Rows({ rows }: { rows: Model[] }) {
  return (
    <Table label="Models">
      <Head columns={COLUMNS} />
      <tbody>
        {rows.map((row) => (
          <Row key={row.id}>
            <Cell className="max-w-40 sm:max-w-72">
              <span className="flex items-center gap-1">
                <span className="min-w-0">
                  <span className="block truncate font-medium">{row.name}</span>
                  <span className="block truncate font-mono text-xs text-muted">
                    <Named>{row.id}</Named>
                  </span>
                </span>
                <span className="max-sm:hidden">
                  <CopyIcon text={row.id} label={`Copy ${row.id}`} />
                </span>
              </span>
            </Cell>
            <Cell from="lg" className="text-muted">
              {row.architecture.input_modalities.join(', ')}
            </Cell>
            <Cell end from="md">
              {row.context_length?.toLocaleString('en') ?? '–'}
            </Cell>
            <Cell end>
              <Usd value={perMillion(row.pricing?.prompt)} />
            </Cell>
            <Cell end>
              <Usd value={perMillion(row.pricing?.completion)} />
            </Cell>
          </Row>
        ))}
      </tbody>
    </Table>
  )
}
