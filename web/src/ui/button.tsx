import type { ComponentProps } from 'react'
import { cx } from './class'

type Kind = 'primary' | 'plain' | 'quiet' | 'danger'

const KINDS: Record<Kind, string> = {
  primary: 'bg-inverse text-on-inverse hover:opacity-88',
  plain: 'border border-line bg-surface text-text hover:bg-raised',
  quiet: 'text-muted hover:bg-raised hover:text-text',
  danger: 'border border-line bg-surface text-bad hover:bg-bad-soft',
}

/** The classes of a button, for what has to be a link. */
export function buttonClass(kind: Kind = 'plain', more?: string): string {
  return cx(
    'inline-flex h-8 shrink-0 items-center justify-center gap-1.5 rounded-md px-3 font-medium whitespace-nowrap',
    'transition-colors disabled:pointer-events-none disabled:opacity-50 [&_svg]:size-3.5',
    KINDS[kind],
    more,
  )
}

interface Props extends ComponentProps<'button'> {
  kind?: Kind
  busy?: boolean
}

export function Button({ kind, busy = false, className, disabled, children, ...rest }: Props) {
  return (
    <button
      type="button"
      {...rest}
      disabled={disabled || busy}
      aria-busy={busy}
      className={buttonClass(kind, className)}
    >
      {children}
    </button>
  )
}

interface IconProps extends ComponentProps<'button'> {
  label: string
}

/** A button that shows an icon alone; `label` is what it is called. */
export function IconButton({ label, className, ...rest }: IconProps) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      {...rest}
      className={cx(
        'inline-flex size-7 shrink-0 items-center justify-center rounded-md text-muted hover:bg-raised hover:text-text',
        'disabled:pointer-events-none disabled:opacity-40 [&_svg]:size-4',
        className,
      )}
    />
  )
}
