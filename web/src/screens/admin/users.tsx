import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { get, withQuery } from '../../api/client'
import { has, useSession } from '../../api/session'
import type { Page, User } from '../../api/shapes'
import { Badge } from '../../ui/badge'
import { Button } from '../../ui/button'
import { SearchBox } from '../../ui/field'
import { Listing } from '../../ui/listing'
import { Screen, Tools } from '../../ui/page'
import { Empty } from '../../ui/states'
import { Cell, Row } from '../../ui/table'
import { useList, useTyped } from '../../ui/use-list'
import { Ago, Named } from '../../ui/values'
import { UserActions } from './user-actions'

const COLUMNS = [
  { name: 'Name' },
  { name: 'Role here', from: 'md' },
  { name: 'Second factor', from: 'lg' },
  { name: 'Last seen', from: 'md' },
  { name: 'State' },
  { name: 'Change', hidden: true },
] as const

export function Users() {
  const session = useSession()
  const list = useList()
  const { q = '', cursor = '' } = list.query
  const [text, setText] = useTyped(list, 'q')
  const users = useQuery({
    queryKey: ['admin', 'users', q, cursor],
    queryFn: () => get<Page<User>>(withQuery('/admin/users', { q, cursor })),
    placeholderData: keepPreviousData,
  })
  const mayChange = has(session.rights, 'change_instance')
  return (
    <Screen title="Users" note="Everybody with an account. People join by invitations.">
      <Tools>
        <SearchBox
          label="Beginning of an address"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </Tools>
      <Listing
        query={users}
        label="Users"
        columns={COLUMNS}
        list={list}
        words={['First', 'Next']}
        empty={
          <Empty title="Nobody matches">
            <Button onClick={() => setText('')}>Clear the search</Button>
          </Empty>
        }
        row={(row) => (
          <Row key={row.id}>
            <Cell className="max-w-44 sm:max-w-72">
              <span className="font-medium">
                <Named>{row.name}</Named>
              </span>
              <span className="block truncate text-xs text-muted">{row.email}</span>
            </Cell>
            <Cell from="md">{row.instance_role ?? '–'}</Cell>
            <Cell from="lg">{row.has_totp ? 'on' : 'off'}</Cell>
            <Cell from="md">
              <Ago at={row.last_seen_at} />
            </Cell>
            <Cell>
              <Badge tone={row.disabled ? 'warn' : 'good'}>
                {row.disabled ? 'disabled' : 'active'}
              </Badge>
            </Cell>
            <Cell end>{mayChange && row.id !== session.user.id && <UserActions of={row} />}</Cell>
          </Row>
        )}
      />
    </Screen>
  )
}
