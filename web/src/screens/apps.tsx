import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { ask, get } from '../api/client'
import { has, useOrg } from '../api/session'
import type { App } from '../api/shapes'
import { Badge } from '../ui/badge'
import { Button } from '../ui/button'
import { Dialog, DialogForm } from '../ui/dialog'
import { FormError, NameField } from '../ui/field'
import { Listing } from '../ui/listing'
import { Screen } from '../ui/page'
import { Empty } from '../ui/states'
import { Cell, Row } from '../ui/table'
import { Ago, Mono, Named } from '../ui/values'

const COLUMNS = [
  { name: 'Name' },
  { name: 'Id', from: 'md' },
  { name: 'Created', from: 'md' },
  { name: 'State' },
] as const
const TONES = { approved: 'good', pending: 'warn', rejected: 'bad' } as const

export function AppState({ of }: { of: App }) {
  return <Badge tone={TONES[of.status]}>{of.status}</Badge>
}

export function Apps() {
  const { org = '' } = useParams({ strict: false })
  const { rights } = useOrg()
  const [making, setMaking] = useState(false)
  const apps = useQuery({
    queryKey: ['apps', org],
    queryFn: () => get<{ data: App[] }>(`/orgs/${org}/apps`),
  })
  const make = has(rights, 'create_apps') && (
    <Button kind="primary" onClick={() => setMaking(true)}>
      <Plus /> New app
    </Button>
  )
  return (
    <Screen
      title="Apps"
      note="Programs whose keys work once the operator has approved them."
      actions={make}
    >
      <Listing
        query={apps}
        label="Apps"
        columns={COLUMNS}
        empty={<Empty title="There is no app yet">{make}</Empty>}
        row={(row) => (
          <Row key={row.id}>
            <Cell className="max-w-60 font-medium">
              <Named>{row.name}</Named>
            </Cell>
            <Cell from="md">
              <Mono>{row.id}</Mono>
            </Cell>
            <Cell from="md">
              <Ago at={row.created_at} />
            </Cell>
            <Cell>
              <AppState of={row} />
            </Cell>
          </Row>
        )}
      />
      {making && <NewApp org={org} onClose={() => setMaking(false)} />}
    </Screen>
  )
}

function NewApp({ org, onClose }: { org: string; onClose: () => void }) {
  const client = useQueryClient()
  const [name, setName] = useState('')
  const make = useMutation({
    mutationFn: () => ask('POST', `/orgs/${org}/apps`, { name }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['apps', org] })
      onClose()
    },
  })
  return (
    <Dialog
      open
      title="New app"
      note="Until the operator approves it, its keys answer 403."
      onClose={onClose}
    >
      <DialogForm
        onSubmit={() => make.mutate()}
        onCancel={onClose}
        action="Create app"
        busy={make.isPending}
      >
        <NameField value={name} onChange={setName} error={make.error} />
        <FormError error={make.error} except={['name']} />
      </DialogForm>
    </Dialog>
  )
}
