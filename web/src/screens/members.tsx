import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { Ellipsis, UserPlus } from 'lucide-react'
import { useState } from 'react'
import { ask, get, withQuery } from '../api/client'
import { has, useOrg, useSession } from '../api/session'
import type { Invitation, Member, Page } from '../api/shapes'
import { Badge } from '../ui/badge'
import { Button, IconButton } from '../ui/button'
import { Confirm } from '../ui/confirm'
import { Listing } from '../ui/listing'
import { Menu, MenuItem } from '../ui/menu'
import { Screen } from '../ui/page'
import { Cell, Head, Row, Table } from '../ui/table'
import { useList } from '../ui/use-list'
import { Ago, Named, Usd } from '../ui/values'
import { InviteDialog, MemberDialog } from './member-forms'

const COLUMNS = [
  { name: 'Name' },
  { name: 'Role' },
  { name: 'Limit, USD a month', end: true, from: 'md' },
  { name: 'Last seen', from: 'md' },
  { name: 'Change', hidden: true },
] as const
const INVITED = [
  { name: 'Address' },
  { name: 'Role' },
  { name: 'Expires', from: 'md' },
  { name: 'Change', hidden: true },
] as const

type Open =
  | { what: 'invite' }
  | { what: 'edit' | 'remove'; member: Member }
  | { what: 'withdraw'; invitation: Invitation }

export function Members() {
  const { org = '' } = useParams({ strict: false })
  const { rights } = useOrg()
  const { user } = useSession()
  const client = useQueryClient()
  const list = useList()
  const cursor = list.query.cursor ?? ''
  const [open, setOpen] = useState<Open | null>(null)
  const members = useQuery({
    queryKey: ['members', org, cursor],
    queryFn: () => get<Page<Member>>(withQuery(`/orgs/${org}/members`, { cursor })),
    placeholderData: keepPreviousData,
  })
  const invitations = useQuery({
    queryKey: ['invitations', org],
    queryFn: () => get<{ data: Invitation[] }>(`/orgs/${org}/invitations`),
  })
  const mayChange = has(rights, 'change_members')
  const changed = () =>
    Promise.all([
      client.invalidateQueries({ queryKey: ['members', org] }),
      client.invalidateQueries({ queryKey: ['invitations', org] }),
    ])
  const close = () => setOpen(null)
  return (
    <Screen
      title="Members"
      actions={
        mayChange && (
          <Button kind="primary" onClick={() => setOpen({ what: 'invite' })}>
            <UserPlus /> Invite
          </Button>
        )
      }
    >
      <Listing
        query={members}
        label="Members"
        columns={COLUMNS}
        list={list}
        words={['First', 'Next']}
        row={(row) => (
          <Row key={row.user_id}>
            <Cell className="max-w-40 sm:max-w-72">
              <span className="font-medium">
                <Named>{row.name}</Named>
              </span>
              <span className="block truncate text-xs text-muted">{row.email}</span>
            </Cell>
            <Cell>
              {row.role} {row.disabled && <Badge tone="warn">disabled</Badge>}
            </Cell>
            <Cell end from="md">
              {row.monthly_limit === null ? 'none' : <Usd value={row.monthly_limit} />}
            </Cell>
            <Cell from="md">
              <Ago at={row.last_seen_at} />
            </Cell>
            <Cell end>
              {mayChange && (
                <Menu
                  trigger={
                    <IconButton label={`Change ${row.email}`}>
                      <Ellipsis />
                    </IconButton>
                  }
                >
                  <MenuItem onSelect={() => setOpen({ what: 'edit', member: row })}>
                    Role and limit
                  </MenuItem>
                  <MenuItem danger onSelect={() => setOpen({ what: 'remove', member: row })}>
                    {row.user_id === user.id ? 'Leave' : 'Remove'}
                  </MenuItem>
                </Menu>
              )}
            </Cell>
          </Row>
        )}
      />
      {invitations.data && invitations.data.data.length > 0 && (
        <section className="mt-8">
          <h2 className="mb-3 font-medium">Invited</h2>
          <Table label="Invitations">
            <Head columns={INVITED} />
            <tbody>
              {invitations.data.data.map((row) => (
                <Row key={row.id}>
                  <Cell className="max-w-40 truncate sm:max-w-72">{row.email}</Cell>
                  <Cell>{row.role}</Cell>
                  <Cell from="md">
                    {row.expired ? <Badge>expired</Badge> : <Ago at={row.expires_at} />}
                  </Cell>
                  <Cell end>
                    {mayChange && (
                      <Button
                        kind="quiet"
                        onClick={() => setOpen({ what: 'withdraw', invitation: row })}
                      >
                        Withdraw
                      </Button>
                    )}
                  </Cell>
                </Row>
              ))}
            </tbody>
          </Table>
        </section>
      )}
      {open?.what === 'invite' && <InviteDialog org={org} onDone={changed} onClose={close} />}
      {open?.what === 'edit' && (
        <MemberDialog org={org} of={open.member} onDone={changed} onClose={close} />
      )}
      {open?.what === 'remove' && (
        <Confirm
          open
          danger
          title={`Remove ${open.member.email}?`}
          note="The keys that it made stay, and go on working until somebody revokes them."
          action="Remove"
          onConfirm={() =>
            ask('DELETE', `/orgs/${org}/members/${open.member.user_id}`).then(changed)
          }
          onClose={close}
        />
      )}
      {open?.what === 'withdraw' && (
        <Confirm
          open
          danger
          title={`Withdraw the invitation of ${open.invitation.email}?`}
          note="Its link no longer works."
          action="Withdraw"
          onConfirm={() =>
            ask('DELETE', `/orgs/${org}/invitations/${open.invitation.id}`).then(changed)
          }
          onClose={close}
        />
      )}
    </Screen>
  )
}
