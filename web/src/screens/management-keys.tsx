import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { ask, get } from '../api/client'
import type { Key } from '../api/shapes'
import { Button } from '../ui/button'
import { Confirm } from '../ui/confirm'
import { Dialog, DialogForm } from '../ui/dialog'
import { FormError, NameField } from '../ui/field'
import { Listing } from '../ui/listing'
import { Screen } from '../ui/page'
import { Secret } from '../ui/secret'
import { Empty } from '../ui/states'
import { Cell, Row } from '../ui/table'
import { Ago, Mono, Named } from '../ui/values'
import { KeyState } from './key-words'

const COLUMNS = [
  { name: 'Name' },
  { name: 'Key', from: 'md' },
  { name: 'Made by', from: 'lg' },
  { name: 'Expires', from: 'md' },
  { name: 'State' },
  { name: 'Change', hidden: true },
] as const

export function ManagementKeys() {
  const { org = '' } = useParams({ strict: false })
  const client = useQueryClient()
  const path = `/orgs/${org}/management-keys`
  const [making, setMaking] = useState(false)
  const [revoking, setRevoking] = useState<Key | null>(null)
  const keys = useQuery({
    queryKey: ['management-keys', org],
    queryFn: () => get<{ data: Key[] }>(path),
  })
  const changed = () => client.invalidateQueries({ queryKey: ['management-keys', org] })
  const make = (
    <Button kind="primary" onClick={() => setMaking(true)}>
      <Plus /> New management key
    </Button>
  )
  return (
    <Screen
      title="Management keys"
      note="For programs that make and end API keys. They cannot ask models, and end after 90 days."
      actions={make}
    >
      <Listing
        query={keys}
        label="Management keys"
        columns={COLUMNS}
        empty={<Empty title="There is no management key">{make}</Empty>}
        row={(row) => (
          <Row key={row.id}>
            <Cell className="max-w-40 font-medium sm:max-w-60">
              <Named>{row.name}</Named>
            </Cell>
            <Cell from="md" className="whitespace-nowrap">
              <Mono>{row.label}</Mono>
            </Cell>
            <Cell from="lg">{row.creator?.email ?? '–'}</Cell>
            <Cell from="md">
              <Ago at={row.expires_at} />
            </Cell>
            <Cell>
              <KeyState of={row} />
            </Cell>
            <Cell end>
              {row.state !== 'revoked' && (
                <Button kind="quiet" onClick={() => setRevoking(row)}>
                  Revoke
                </Button>
              )}
            </Cell>
          </Row>
        )}
      />
      {making && <NewKey path={path} onDone={changed} onClose={() => setMaking(false)} />}
      {revoking && (
        <Confirm
          open
          danger
          title="Revoke this management key?"
          note="Programs that use it are refused from now on. The API keys that it made stay."
          action="Revoke"
          onConfirm={() => ask('DELETE', `${path}/${revoking.id}`).then(changed)}
          onClose={() => setRevoking(null)}
        />
      )}
    </Screen>
  )
}

interface NewProps {
  path: string
  onDone: () => Promise<void>
  onClose: () => void
}

function NewKey({ path, onDone, onClose }: NewProps) {
  const [name, setName] = useState('')
  const make = useMutation({
    mutationFn: () => ask<{ key: string }>('POST', path, { name }),
    onSuccess: onDone,
  })
  if (make.data)
    return (
      <Secret
        title="Copy the management key now"
        label="Management key"
        text={make.data.key}
        note="It is shown this once. Whoever has it can make keys that spend this organization's credit."
        onClose={onClose}
      />
    )
  return (
    <Dialog open title="New management key" onClose={onClose}>
      <DialogForm
        onSubmit={() => make.mutate()}
        onCancel={onClose}
        action="Create key"
        busy={make.isPending}
      >
        <NameField value={name} onChange={setName} error={make.error} />
        <FormError error={make.error} except={['name']} />
      </DialogForm>
    </Dialog>
  )
}
