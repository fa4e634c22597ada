import { TextField } from '../ui/field'

interface NewAccount {
  name: string
  password: string
}

interface Props {
  value: NewAccount
  onChange: (value: NewAccount) => void
  errorOf: (param: string) => string | null
}

/** Name and password of an account to be made. */
export function NewAccountFields({ value, onChange, errorOf }: Props) {
  return (
    <>
      <TextField
        label="Your name"
        autoComplete="name"
        required
        maxLength={200}
        value={value.name}
        onChange={(event) => onChange({ ...value, name: event.target.value })}
        error={errorOf('name')}
      />
      <NewPassword
        value={value.password}
        onChange={(password) => onChange({ ...value, password })}
        error={errorOf('password')}
      />
    </>
  )
}

interface PasswordProps {
  label?: string
  value: string
  onChange: (value: string) => void
  error: string | null
}

export function NewPassword({ label = 'Password', value, onChange, error }: PasswordProps) {
  return (
    <TextField
      label={label}
      type="password"
      autoComplete="new-password"
      required
      value={value}
      onChange={(event) => onChange(event.target.value)}
      error={error}
      hint="A few words that nobody would guess. Any characters."
    />
  )
}
