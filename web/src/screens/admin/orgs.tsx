import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { get, withQuery } from '../../api/client'
import { has, useSession } from '../../api/session'
import type { Org, Page } from '../../api/shapes'
import { Badge } from '../../ui/badge'
import { Button } from '../../ui/button'
import { SearchBox } from '../../ui/field'
import { Listing } from '../../ui/listing'
import { Screen, Tools } from '../../ui/page'
import { Empty } from '../../ui/states'
import { Cell, Row } from '../../ui/table'
import { useList, useTyped } from '../../ui/use-list'
import { Ago, Named, Usd } from '../../ui/values'
import { NewOrgDialog } from './org-forms'

export interface OrgMoney extends Org {
  available: string
  held: string
  owed: string
  spent: string
}

const COLUMNS = [
  { name: 'Name' },
  { name: 'Balance, USD', end: true },
  { name: 'Owed, USD', end: true, from: 'md' },
  { name: 'Spent, USD', end: true, from: 'md' },
  { name: 'Created', from: 'lg' },
  { name: 'State' },
] as const

export function OrgState({ of }: { of: Org }) {
  return <Badge tone={of.suspended ? 'bad' : 'good'}>{of.suspended ? 'suspended' : 'active'}</Badge>
}

export function Orgs() {
  const { rights } = useSession()
  const list = useList()
  const { q = '', cursor = '' } = list.query
  const [text, setText] = useTyped(list, 'q')
  const [making, setMaking] = useState(false)
  const orgs = useQuery({
    queryKey: ['admin', 'orgs', q, cursor],
    queryFn: () => get<Page<OrgMoney>>(withQuery('/admin/orgs', { q, cursor })),
    placeholderData: keepPreviousData,
  })
  return (
    <Screen
      title="Organizations"
      actions={
        has(rights, 'change_instance') && (
          <Button kind="primary" onClick={() => setMaking(true)}>
            <Plus /> New organization
          </Button>
        )
      }
    >
      <Tools>
        <SearchBox
          label="Beginning of a name, or id"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </Tools>
      <Listing
        query={orgs}
        label="Organizations"
        columns={COLUMNS}
        list={list}
        words={['First', 'Next']}
        empty={
          <Empty title="No organization matches">
            <Button onClick={() => setText('')}>Clear the search</Button>
          </Empty>
        }
        row={(row) => (
          <Row key={row.id}>
            <Cell className="max-w-40 font-medium sm:max-w-60">
              <Link to="/admin/orgs/$org" params={{ org: row.id }} className="hover:underline">
                <Named>{row.name}</Named>
              </Link>
            </Cell>
            <Cell end>
              <Usd value={row.available} />
            </Cell>
            <Cell end from="md">
              <Usd value={row.owed} />
            </Cell>
            <Cell end from="md">
              <Usd value={row.spent} />
            </Cell>
            <Cell from="lg">
              <Ago at={row.created_at} />
            </Cell>
            <Cell>
              <OrgState of={row} />
            </Cell>
          </Row>
        )}
      />
      {making && <NewOrgDialog onClose={() => setMaking(false)} />}
    </Screen>
  )
}
