import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { get, withQuery } from '../api/client'
import { has, useOrg } from '../api/session'
import type { Key, Page } from '../api/shapes'
import { Button } from '../ui/button'
import { Filter, SearchBox } from '../ui/field'
import { Listing } from '../ui/listing'
import { Screen, Tools } from '../ui/page'
import { Empty } from '../ui/states'
import { Cell, Row } from '../ui/table'
import { useList, useTyped } from '../ui/use-list'
import { Ago, Mono, Named, Usd } from '../ui/values'
import { KeyLimit, KeyState } from './key-words'
import { NewKeyDialog } from './new-key'

const STATES = [
  { value: '', label: 'Active and disabled' },
  { value: 'active', label: 'Active' },
  { value: 'disabled', label: 'Disabled' },
  { value: 'revoked', label: 'Revoked' },
  { value: 'all', label: 'All' },
]
const COLUMNS = [
  { name: 'Name' },
  { name: 'Key', from: 'md' },
  { name: 'Limit', from: 'lg' },
  { name: 'Today, USD', end: true },
  { name: 'Month, USD', end: true, from: 'md' },
  { name: 'Last used', from: 'lg' },
  { name: 'State' },
] as const

export function Keys() {
  const org = useOrg()
  const { org: id = '' } = useParams({ strict: false })
  const list = useList()
  const { q = '', state = '', cursor = '' } = list.query
  const [text, setText] = useTyped(list, 'q')
  const [making, setMaking] = useState(false)
  const keys = useQuery({
    queryKey: ['keys', id, q, state, cursor],
    queryFn: () => get<Page<Key>>(withQuery(`/orgs/${id}/keys`, { q, state, cursor })),
    placeholderData: keepPreviousData,
  })
  const mayChange = has(org.rights, 'change_keys')
  const newKey = mayChange && (
    <Button kind="primary" onClick={() => setMaking(true)}>
      <Plus /> New key
    </Button>
  )
  return (
    <Screen
      title="API keys"
      note="What programs send to ask models. Days and months are UTC."
      actions={newKey}
    >
      <Tools>
        <SearchBox
          label="Name, id or last letters"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <Filter
          label="State"
          options={STATES}
          value={state}
          onChange={(event) => list.filter({ state: event.target.value })}
        />
      </Tools>
      <Listing
        query={keys}
        label="API keys"
        columns={COLUMNS}
        list={list}
        empty={
          q || state ? (
            <Empty title="No key matches">
              <Button
                onClick={() => {
                  setText('')
                  list.filter({ q: '', state: '' })
                }}
              >
                Clear the filters
              </Button>
            </Empty>
          ) : (
            <Empty title="There is no key yet">
              <p className="mb-4">A key lets a program ask models and be charged for it.</p>
              {newKey}
            </Empty>
          )
        }
        row={(row) => (
          <Row key={row.id}>
            <Cell className="max-w-0 min-w-28 sm:max-w-60">
              <Link
                to="/orgs/$org/keys/$key"
                params={{ org: id, key: row.id }}
                className="block font-medium hover:underline"
              >
                <Named>{row.name}</Named>
              </Link>
            </Cell>
            <Cell from="md" className="whitespace-nowrap">
              <Mono>{row.label}</Mono>
            </Cell>
            <Cell from="lg">
              <KeyLimit of={row} org={org} />
            </Cell>
            <Cell end>
              <Usd value={row.usage_daily} />
            </Cell>
            <Cell end from="md">
              <Usd value={row.usage_monthly} />
            </Cell>
            <Cell from="lg">
              <Ago at={row.last_used_at} />
            </Cell>
            <Cell>
              <KeyState of={row} />
            </Cell>
          </Row>
        )}
      />
      {making && <NewKeyDialog org={id} onClose={() => setMaking(false)} />}
    </Screen>
  )
}
