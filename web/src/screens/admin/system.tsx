import { useMutation, useQuery } from '@tanstack/react-query'
import { ask, get } from '../../api/client'
import type { System } from '../../api/shapes'
import { Badge } from '../../ui/badge'
import { Button } from '../../ui/button'
import { FormError } from '../../ui/field'
import { Card, Facts, Screen } from '../../ui/page'
import { Empty, Loaded } from '../../ui/states'
import { Cell, Head, Row, Table } from '../../ui/table'
import { Mono } from '../../ui/values'
import { counted } from '../../ui/words'

interface Verified {
  rows: number
  broken: { n: number; why: string } | null
}

const COLUMNS = [{ name: 'Provider' }, { name: 'Models', end: true }, { name: 'Key' }] as const

export function SystemScreen() {
  const system = useQuery({
    queryKey: ['admin', 'system'],
    queryFn: () => get<System>('/admin/system'),
  })
  return (
    <Screen title="System" note="What seekroute.yaml makes of this gateway. It is changed there.">
      <Loaded query={system}>
        {(told) => (
          <div className="flex flex-col gap-4">
            {told.warnings.length > 0 && (
              <Card title="Warnings of the configuration">
                <ul className="flex list-disc flex-col gap-1 pl-4 text-warn">
                  {told.warnings.map((each) => (
                    <li key={each} className="break-words">
                      {each}
                    </li>
                  ))}
                </ul>
              </Card>
            )}
            <div className="grid items-start gap-4 lg:grid-cols-2">
              <Card title="Gateway">
                <Facts
                  rows={[
                    ['Version', told.version],
                    ['Data', <Mono key="data">{told.data_dir}</Mono>],
                    ['Configuration', <Mono key="config">{told.config || 'no file'}</Mono>],
                    ['Public address', told.public_url || 'this machine alone'],
                    ['Profiles', told.profiles.join(', ')],
                    ['Ledger', told.ledger ? 'on' : 'off'],
                    ['Mock provider', told.mock ? 'on' : 'off'],
                  ]}
                />
              </Card>
              <AuditCheck />
            </div>
            {told.providers.length === 0 ? (
              <Empty title="No provider is configured">
                {told.mock && 'The mock provider answers for every model.'}
              </Empty>
            ) : (
              <Table label="Providers">
                <Head columns={COLUMNS} />
                <tbody>
                  {told.providers.map((row) => (
                    <Row key={row.name}>
                      <Cell>
                        <span className="font-medium">{row.shown_name}</span>{' '}
                        <span className="text-muted">{row.name}</span>
                      </Cell>
                      <Cell end>{row.models}</Cell>
                      <Cell>
                        {row.has_key ? <Badge tone="good">present</Badge> : <Badge>none</Badge>}
                      </Cell>
                    </Row>
                  ))}
                </tbody>
              </Table>
            )}
          </div>
        )}
      </Loaded>
    </Screen>
  )
}

function AuditCheck() {
  const verify = useMutation({
    mutationFn: () => ask<Verified>('POST', '/admin/system/verify-audit'),
  })
  const told = verify.data
  return (
    <Card title="Audit log">
      <p className="mb-4 text-muted">
        Each row is chained to the one before: a row that was changed or taken out shows.
      </p>
      {told && (
        <p role="status" className={`mb-4 ${told.broken ? 'text-bad' : 'text-good'}`}>
          {told.broken
            ? `Row ${told.broken.n}: ${told.broken.why}`
            : `Whole: ${counted(told.rows, 'row')} looked at.`}
        </p>
      )}
      <FormError error={verify.error} />
      <Button busy={verify.isPending} onClick={() => verify.mutate()}>
        Verify the log
      </Button>
    </Card>
  )
}
