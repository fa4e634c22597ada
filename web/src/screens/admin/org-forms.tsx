import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { ask } from '../../api/client'
import type { Org } from '../../api/shapes'
import { amountError } from '../../money'
import { Dialog, DialogForm } from '../../ui/dialog'
import { FormError, fieldError, NameField, TextField } from '../../ui/field'
import { Secret } from '../../ui/secret'

interface Props {
  org: string
  onDone: () => Promise<void>
  onClose: () => void
}

// The server books an order within a quarter of a second of its being put.
const BOOKED_MS = 600

export function NewOrgDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const [name, setName] = useState('')
  const [owner, setOwner] = useState('')
  const [credit, setCredit] = useState('')
  const wrong = amountError(credit)
  const make = useMutation({
    mutationFn: () =>
      ask<{ data: Org; link?: string }>('POST', '/admin/orgs', {
        name,
        owner_email: owner.trim() || null,
        credit: credit.trim() || null,
      }),
    onSuccess: async ({ data, link }) => {
      await client.invalidateQueries({ queryKey: ['admin', 'orgs'] })
      if (!link) navigate({ to: '/admin/orgs/$org', params: { org: data.id } })
    },
  })
  if (make.data?.link)
    return (
      <Secret
        title="Send this link to the owner"
        label="Invitation"
        text={`${window.location.origin}${make.data.link}`}
        note={`Whoever opens it joins as ${owner}. It is shown this once.`}
        onClose={onClose}
      />
    )
  return (
    <Dialog open title="New organization" onClose={onClose}>
      <DialogForm
        onSubmit={() => wrong === null && make.mutate()}
        onCancel={onClose}
        action="Create organization"
        busy={make.isPending}
      >
        <NameField value={name} onChange={setName} error={make.error} />
        <TextField
          label="E-mail of its owner"
          type="email"
          placeholder="None yet"
          hint="You get a link to send to this person."
          value={owner}
          onChange={(event) => setOwner(event.target.value)}
          error={fieldError(make.error, 'owner_email')}
        />
        <TextField
          label="First credit, USD"
          inputMode="decimal"
          placeholder="0.00"
          value={credit}
          onChange={(event) => setCredit(event.target.value)}
          error={wrong ?? fieldError(make.error, 'credit')}
        />
        <FormError error={make.error} except={['name', 'owner_email', 'credit']} />
      </DialogForm>
    </Dialog>
  )
}

export function AdjustDialog({ org, onDone, onClose }: Props) {
  const [amount, setAmount] = useState('')
  const [note, setNote] = useState('')
  // One token for as long as the dialog stands: sent twice, it is booked once.
  const [token] = useState(() => crypto.randomUUID())
  const wrong = amountError(amount, { signed: true })
  const adjust = useMutation({
    mutationFn: async () => {
      const body = { amount: amount.trim(), note, client_token: token }
      await ask('POST', `/admin/orgs/${org}/adjust`, body)
      await new Promise((done) => window.setTimeout(done, BOOKED_MS))
    },
    onSuccess: async () => {
      await onDone()
      onClose()
    },
  })
  return (
    <Dialog
      open
      title="Adjust credit"
      note="Gives credit, or takes it with a minus. The books keep it and your note for good."
      onClose={onClose}
    >
      <DialogForm
        onSubmit={() => wrong === null && adjust.mutate()}
        onCancel={onClose}
        action="Book it"
        busy={adjust.isPending}
      >
        <TextField
          label="Amount, USD"
          required
          autoFocus
          placeholder="20.00 or -5.00"
          value={amount}
          onChange={(event) => setAmount(event.target.value)}
          error={wrong ?? fieldError(adjust.error, 'amount')}
        />
        <TextField
          label="Note"
          required
          maxLength={500}
          placeholder="Why"
          value={note}
          onChange={(event) => setNote(event.target.value)}
          error={fieldError(adjust.error, 'note')}
        />
        <FormError error={adjust.error} except={['amount', 'note']} />
      </DialogForm>
    </Dialog>
  )
}

export function CreditLineDialog({ org, line, onDone, onClose }: Props & { line: string | null }) {
  const [value, setValue] = useState(line ?? '')
  const wrong = amountError(value)
  const save = useMutation({
    mutationFn: () => ask('PATCH', `/admin/orgs/${org}`, { credit_line: value.trim() || null }),
    onSuccess: async () => {
      await onDone()
      onClose()
    },
  })
  return (
    <Dialog
      open
      title="Credit line"
      note="How far the balance may fall below zero before requests are refused."
      onClose={onClose}
    >
      <DialogForm
        onSubmit={() => wrong === null && save.mutate()}
        onCancel={onClose}
        action="Save"
        busy={save.isPending}
      >
        <TextField
          label="USD"
          inputMode="decimal"
          autoFocus
          placeholder="Without limit"
          hint="Empty: without limit. 0: prepaid alone."
          value={value}
          onChange={(event) => setValue(event.target.value)}
          error={wrong ?? fieldError(save.error, 'credit_line')}
        />
        <FormError error={save.error} except={['credit_line']} />
      </DialogForm>
    </Dialog>
  )
}
