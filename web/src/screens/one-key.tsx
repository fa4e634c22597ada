import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { ask, get } from '../api/client'
import { has, useOrg } from '../api/session'
import type { Key } from '../api/shapes'
import { amountError } from '../money'
import { utc } from '../time'
import { Button, buttonClass } from '../ui/button'
import { Confirm } from '../ui/confirm'
import { CopyIcon } from '../ui/copy'
import { Dialog, DialogForm } from '../ui/dialog'
import { FormError } from '../ui/field'
import { Card, Facts, Screen } from '../ui/page'
import { Secret } from '../ui/secret'
import { Loaded } from '../ui/states'
import { Ago, Mono, Usd } from '../ui/values'
import { bodyOf, KeyFields, type KeyValues } from './key-form'
import { KeyLimit, KeyState } from './key-words'

type Open = 'edit' | 'roll' | 'disable' | 'revoke' | null

export function OneKey() {
  const org = useOrg()
  const { key: id = '' } = useParams({ strict: false })
  const query = useQuery({
    queryKey: ['keys', org.id, 'one', id],
    queryFn: () => get<{ data: Key }>(`/orgs/${org.id}/keys/${id}`),
  })
  const key = query.data?.data
  return (
    <Screen
      title={key?.name ?? 'API key'}
      actions={key && has(org.rights, 'change_keys') && <Actions of={key} org={org.id} />}
    >
      <Loaded query={query}>
        {({ data }) => (
          <div className="grid gap-4 lg:grid-cols-2">
            <Card title="Key">
              <Facts
                rows={[
                  ['State', <KeyState key="state" of={data} />],
                  ['Key', <Mono key="label">{data.label}</Mono>],
                  [
                    'Id',
                    <span key="id" className="flex items-center gap-1">
                      <Mono>{data.id}</Mono>
                      <CopyIcon text={data.id} label="Copy id" />
                    </span>,
                  ],
                  ['Created', `${utc(data.created_at)} UTC`],
                  ['Created by', data.creator?.email ?? 'the command line, or a program'],
                  ['Expires', data.expires_at ? `${utc(data.expires_at)} UTC` : 'never'],
                  ['Models', data.models?.join(', ') ?? 'all'],
                ]}
              />
            </Card>
            <Card title="Use">
              <Facts
                rows={[
                  ['Limit', <KeyLimit key="limit" of={data} org={org} />],
                  ['Today', <Usd key="day" value={data.usage_daily} unit />],
                  ['This week', <Usd key="week" value={data.usage_weekly} unit />],
                  ['This month', <Usd key="month" value={data.usage_monthly} unit />],
                  ['Total', <Usd key="all" value={data.usage} unit />],
                  ['Last used', <Ago key="last" at={data.last_used_at} />],
                ]}
              />
              <Link
                to="/orgs/$org/logs"
                params={{ org: org.id }}
                search={{ key: data.id }}
                className={buttonClass('plain', 'mt-4')}
              >
                View requests
              </Link>
            </Card>
          </div>
        )}
      </Loaded>
    </Screen>
  )
}

function Actions({ of, org }: { of: Key; org: string }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const [open, setOpen] = useState<Open>(null)
  const path = `/orgs/${org}/keys/${of.id}`
  const changed = () => client.invalidateQueries({ queryKey: ['keys', org] })
  const roll = useMutation({
    mutationFn: () => ask<{ key: string }>('POST', `${path}/roll`),
    onSuccess: changed,
  })
  if (of.state === 'revoked') return null
  const close = () => setOpen(null)
  const disabling = of.state === 'active'
  return (
    <>
      <Button onClick={() => setOpen('edit')}>Edit</Button>
      <Button onClick={() => setOpen('roll')}>Roll</Button>
      <Button onClick={() => setOpen('disable')}>{disabling ? 'Disable' : 'Enable'}</Button>
      <Button kind="danger" onClick={() => setOpen('revoke')}>
        Revoke
      </Button>
      {open === 'edit' && <EditDialog of={of} path={path} onChanged={changed} onClose={close} />}
      <Confirm
        open={open === 'roll'}
        title="Roll this key?"
        note="You get a new secret. The old one stops within a second; name, limit and history stay."
        action="Roll key"
        onConfirm={() => roll.mutateAsync()}
        onClose={close}
      />
      <Confirm
        open={open === 'disable'}
        title={disabling ? 'Disable this key?' : 'Enable this key?'}
        note={
          disabling
            ? 'View requests are refused within a second, until you enable it again.'
            : 'View requests are taken again within a second.'
        }
        action={disabling ? 'Disable key' : 'Enable key'}
        onConfirm={() => ask('PATCH', path, { disabled: disabling }).then(changed)}
        onClose={close}
      />
      <Confirm
        danger
        open={open === 'revoke'}
        title="Revoke this key for good?"
        note="View requests are refused within a second. It cannot be undone; what it has spent stays in the logs."
        action="Revoke key"
        onConfirm={async () => {
          await ask('DELETE', path)
          await changed()
          await navigate({ to: '/orgs/$org/keys', params: { org } })
        }}
        onClose={close}
      />
      <Secret
        title="Copy the new key now"
        label="API key"
        text={roll.data?.key ?? null}
        note="It is shown this once. The old one no longer works."
        onClose={() => roll.reset()}
      />
    </>
  )
}

interface EditProps {
  of: Key
  path: string
  onChanged: () => Promise<void>
  onClose: () => void
}

function EditDialog({ of, path, onChanged, onClose }: EditProps) {
  const [values, setValues] = useState<KeyValues>({
    name: of.name,
    limit: of.limit ?? '',
    limit_reset: of.limit_reset,
    models: of.models?.join(' ') ?? '',
  })
  const save = useMutation({
    // Of two people who edit at once the second is told, rather than undoing what the first did.
    mutationFn: () => ask('PATCH', path, bodyOf(values), { 'if-match': `"${of.version}"` }),
    onSuccess: async () => {
      await onChanged()
      onClose()
    },
  })
  return (
    <Dialog open title="Edit key" onClose={onClose}>
      <DialogForm
        onSubmit={() => amountError(values.limit) === null && save.mutate()}
        onCancel={onClose}
        action="Save"
        busy={save.isPending}
      >
        <KeyFields value={values} onChange={setValues} error={save.error} />
        <FormError error={save.error} except={['name', 'limit', 'models']} />
      </DialogForm>
    </Dialog>
  )
}
