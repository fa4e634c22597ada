import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { ask } from '../api/client'
import type { Key } from '../api/shapes'
import { amountError } from '../money'
import { Dialog, DialogForm } from '../ui/dialog'
import { FormError, SelectField } from '../ui/field'
import { Secret } from '../ui/secret'
import { bodyOf, KeyFields, type KeyValues } from './key-form'

const DAY_S = 86_400
const EXPIRIES = [
  { value: '', label: 'Never' },
  { value: String(DAY_S), label: 'In a day' },
  { value: String(7 * DAY_S), label: 'In 7 days' },
  { value: String(14 * DAY_S), label: 'In 14 days' },
  { value: String(30 * DAY_S), label: 'In 30 days' },
  { value: String(90 * DAY_S), label: 'In 90 days' },
  { value: String(365 * DAY_S), label: 'In a year' },
]
const FRESH: KeyValues = { name: '', limit: '', limit_reset: 'monthly', models: '' }

export function NewKeyDialog({ org, onClose }: { org: string; onClose: () => void }) {
  const client = useQueryClient()
  const [values, setValues] = useState(FRESH)
  const [expiry, setExpiry] = useState('')
  const make = useMutation({
    mutationFn: () => {
      const { limit_reset, ...body } = bodyOf(values)
      return ask<{ data: Key; key: string }>('POST', `/orgs/${org}/keys`, {
        ...body,
        limit_reset: body.limit === null ? 'never' : limit_reset,
        expires_in: expiry ? Number(expiry) : null,
      })
    },
    onSuccess: () => client.invalidateQueries({ queryKey: ['keys', org] }),
  })
  if (make.data)
    return (
      <Secret
        title="Copy the key now"
        label="API key"
        text={make.data.key}
        note="It is shown this once. The gateway keeps only a fingerprint of it."
        onClose={onClose}
      />
    )
  return (
    <Dialog open title="New API key" onClose={onClose}>
      <DialogForm
        onSubmit={() => amountError(values.limit) === null && make.mutate()}
        onCancel={onClose}
        action="Create key"
        busy={make.isPending}
      >
        <KeyFields value={values} onChange={setValues} error={make.error} />
        <SelectField
          label="Expires"
          options={EXPIRIES}
          value={expiry}
          onChange={(event) => setExpiry(event.target.value)}
        />
        <FormError error={make.error} except={['name', 'limit', 'models']} />
      </DialogForm>
    </Dialog>
  )
}
