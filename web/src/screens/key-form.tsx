// The fields of a key that a person may set, for making one and for changing it.

import type { Key } from '../api/shapes'
import { amountError } from '../money'
import { fieldError, NameField, SelectField, TextField } from '../ui/field'
import { RESETS } from './key-words'

export interface KeyValues {
  name: string
  limit: string
  limit_reset: Key['limit_reset']
  models: string
}

/** What the API takes of these values. */
export function bodyOf(values: KeyValues) {
  const models = values.models.split(/[\s,]+/).filter(Boolean)
  return {
    name: values.name,
    limit: values.limit.trim() || null,
    limit_reset: values.limit_reset,
    models: models.length > 0 ? models : null,
  }
}

const PERIODS = Object.entries(RESETS).map(([value, label]) => ({ value, label: `USD ${label}` }))

interface Props {
  value: KeyValues
  onChange: (value: KeyValues) => void
  error: unknown
}

export function KeyFields({ value, onChange, error }: Props) {
  return (
    <>
      <NameField
        value={value.name}
        onChange={(name) => onChange({ ...value, name })}
        error={error}
      />
      <div className="grid grid-cols-2 gap-3">
        <TextField
          label="Limit"
          inputMode="decimal"
          placeholder="No limit"
          value={value.limit}
          onChange={(event) => onChange({ ...value, limit: event.target.value })}
          error={amountError(value.limit) ?? fieldError(error, 'limit')}
        />
        <SelectField
          label="Period, UTC"
          options={PERIODS}
          value={value.limit_reset}
          onChange={(event) =>
            onChange({ ...value, limit_reset: event.target.value as Key['limit_reset'] })
          }
        />
      </div>
      <TextField
        label="Models"
        placeholder="All"
        hint="Ids, separated by spaces. Empty: every model."
        value={value.models}
        onChange={(event) => onChange({ ...value, models: event.target.value })}
        error={fieldError(error, 'models')}
      />
    </>
  )
}
