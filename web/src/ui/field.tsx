import { type ComponentProps, type ReactNode, useId } from 'react'
import { ApiError } from '../api/client'
import { cx } from './class'

// 16 px below the width of a tablet: smaller letters make a phone zoom in.
const BOX =
  'w-full min-w-0 rounded-md border border-line-strong/50 bg-surface px-2.5 text-base text-text md:text-[0.84375rem] ' +
  'hover:border-line-strong aria-invalid:border-bad disabled:opacity-60'

interface FrameProps {
  label: string
  hint?: ReactNode
  error?: string | null
}

/** What the API says of one field, if that is what it refused. */
export function fieldError(error: unknown, param: string): string | null {
  if (!(error instanceof ApiError) || error.param !== param) return null
  const text = error.message.replace(new RegExp(`^${param}: `), '')
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function Frame({
  id,
  label,
  hint,
  error,
  children,
}: FrameProps & { id: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <label htmlFor={id} className="mb-1 block font-medium">
        {label}
      </label>
      {children}
      {(error || hint) && (
        <p id={`${id}-note`} className={cx('mt-1 text-xs', error ? 'text-bad' : 'text-muted')}>
          {error || hint}
        </p>
      )}
    </div>
  )
}

export function TextField({
  label,
  hint,
  error,
  className,
  ...rest
}: FrameProps & ComponentProps<'input'>) {
  const id = useId()
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <input
        id={id}
        {...rest}
        aria-invalid={error ? true : undefined}
        aria-describedby={error || hint ? `${id}-note` : undefined}
        className={cx(BOX, 'h-9 md:h-8', className)}
      />
    </Frame>
  )
}

interface NameProps {
  value: string
  onChange: (name: string) => void
  /** Of the request that took the name. */
  error: unknown
}

/** The name of something new: where a dialog begins. */
export function NameField({ value, onChange, error }: NameProps) {
  return (
    <TextField
      label="Name"
      required
      autoFocus
      maxLength={200}
      value={value}
      onChange={(event) => onChange(event.target.value)}
      error={fieldError(error, 'name')}
    />
  )
}

interface Option {
  value: string
  label: string
}

export function SelectField({
  label,
  hint,
  error,
  options,
  ...rest
}: FrameProps & ComponentProps<'select'> & { options: readonly Option[] }) {
  const id = useId()
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <select id={id} {...rest} className={cx(BOX, 'h-9 pr-7 md:h-8')}>
        {options.map((each) => (
          <option key={each.value} value={each.value}>
            {each.label}
          </option>
        ))}
      </select>
    </Frame>
  )
}

/** A filter above a list: its label is for readers of the screen alone. */
export function Filter({
  label,
  options,
  ...rest
}: { label: string; options: readonly Option[] } & ComponentProps<'select'>) {
  return (
    <select
      aria-label={label}
      {...rest}
      className="h-8 max-w-56 min-w-0 truncate rounded-md border border-line bg-surface px-2 hover:bg-raised"
    >
      {options.map((each) => (
        <option key={each.value} value={each.value}>
          {each.label}
        </option>
      ))}
    </select>
  )
}

export function SearchBox({
  label,
  className,
  ...rest
}: { label: string } & ComponentProps<'input'>) {
  return (
    <input
      type="search"
      aria-label={label}
      placeholder={label}
      {...rest}
      className={cx(BOX, 'h-8 border-line! max-sm:w-full sm:w-64', className)}
    />
  )
}

/** A refusal that is about no single field. */
export function FormError({ error, except = [] }: { error: unknown; except?: string[] }) {
  if (!error) return null
  if (error instanceof ApiError && error.param && except.includes(error.param)) return null
  const text = error instanceof Error ? error.message : String(error)
  return (
    <p role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-bad">
      {text.charAt(0).toUpperCase() + text.slice(1)}
    </p>
  )
}
