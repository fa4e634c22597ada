import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { ask, get, withQuery } from '../../api/client'
import { has, useSession } from '../../api/session'
import type { Org, Page } from '../../api/shapes'
import { utc } from '../../time'
import { Button, buttonClass } from '../../ui/button'
import { Confirm } from '../../ui/confirm'
import { CopyIcon } from '../../ui/copy'
import { Card, Facts, Screen } from '../../ui/page'
import { Loaded } from '../../ui/states'
import { Mono, Usd } from '../../ui/values'
import { AdjustDialog, CreditLineDialog } from './org-forms'
import { type OrgMoney, OrgState } from './orgs'

const SCREENS = [
  ['/orgs/$org', 'Home'],
  ['/orgs/$org/keys', 'API keys'],
  ['/orgs/$org/logs', 'Logs'],
  ['/orgs/$org/members', 'Members'],
] as const

export function OneOrg() {
  const { org: id = '' } = useParams({ strict: false })
  const { rights } = useSession()
  const query = useQuery({
    queryKey: ['admin', 'orgs', 'one', id],
    queryFn: async (): Promise<Org & Partial<OrgMoney>> => {
      const [{ data }, { data: found }] = await Promise.all([
        get<{ data: Org }>(`/admin/orgs/${id}`),
        get<Page<OrgMoney>>(withQuery('/admin/orgs', { q: id })),
      ])
      return { ...data, ...found.find((each) => each.id === id) }
    },
  })
  const org = query.data
  return (
    <Screen
      title={org?.name ?? 'Organization'}
      actions={org && has(rights, 'change_instance') && <Actions of={org} />}
    >
      <Loaded query={query}>
        {(row) => (
          <div className="grid items-start gap-4 lg:grid-cols-2">
            <Card title="Organization">
              <Facts
                rows={[
                  ['State', <OrgState key="state" of={row} />],
                  [
                    'Id',
                    <span key="id" className="-my-0.5 flex items-center gap-1">
                      <Mono>{row.id}</Mono>
                      <CopyIcon text={row.id} label="Copy id" />
                    </span>,
                  ],
                  ['Created', `${utc(row.created_at)} UTC`],
                ]}
              />
              <nav aria-label="Its screens" className="mt-4 flex flex-wrap gap-2">
                {SCREENS.map(([to, name]) => (
                  <Link key={to} to={to} params={{ org: id }} className={buttonClass()}>
                    {name}
                  </Link>
                ))}
              </nav>
            </Card>
            <Card title="Money">
              <Facts
                rows={[
                  ['Available', <Usd key="available" value={row.available} unit />],
                  ['Held', <Usd key="held" value={row.held} unit />],
                  ['Owed', <Usd key="owed" value={row.owed} unit />],
                  ['Spent in all', <Usd key="spent" value={row.spent} unit />],
                  [
                    'Credit line',
                    row.credit_line === null ? (
                      'without limit'
                    ) : (
                      <Usd key="line" value={row.credit_line} unit />
                    ),
                  ],
                ]}
              />
            </Card>
          </div>
        )}
      </Loaded>
    </Screen>
  )
}

function Actions({ of }: { of: Org }) {
  const client = useQueryClient()
  const [open, setOpen] = useState<'adjust' | 'line' | 'suspend' | null>(null)
  const changed = () => client.invalidateQueries({ queryKey: ['admin'] })
  const close = () => setOpen(null)
  const word = of.suspended ? 'Resume' : 'Suspend'
  return (
    <>
      <Button onClick={() => setOpen('adjust')}>Adjust credit</Button>
      <Button onClick={() => setOpen('line')}>Credit line</Button>
      <Button kind={of.suspended ? 'plain' : 'danger'} onClick={() => setOpen('suspend')}>
        {word}
      </Button>
      {open === 'adjust' && <AdjustDialog org={of.id} onDone={changed} onClose={close} />}
      {open === 'line' && (
        <CreditLineDialog org={of.id} line={of.credit_line} onDone={changed} onClose={close} />
      )}
      <Confirm
        open={open === 'suspend'}
        danger={!of.suspended}
        title={`${word} this organization?`}
        note={
          of.suspended
            ? 'Its keys are taken again within a second.'
            : 'All its keys are refused within a second. Its members may still sign in.'
        }
        action={word}
        onConfirm={() =>
          ask('PATCH', `/admin/orgs/${of.id}`, { suspended: !of.suspended }).then(changed)
        }
        onClose={close}
      />
    </>
  )
}
