import type { ReactNode } from 'react'
import { cx } from './class'

/** The few numbers that a screen begins with, side by side. */
export function Figures({ columns, children }: { columns: 3 | 4; children: ReactNode }) {
  return (
    <dl
      className={cx(
        'grid grid-cols-1 overflow-hidden rounded-lg border border-line bg-surface sm:grid-cols-2',
        columns === 4 ? 'lg:grid-cols-4' : 'lg:grid-cols-3',
      )}
    >
      {children}
    </dl>
  )
}

interface Props {
  name: string
  value: string
  children?: ReactNode
}

export function Figure({ name, value, children }: Props) {
  return (
    <div className="-mt-px -ml-px min-w-0 border-t border-l border-line p-4">
      <dt className="text-muted">{name}</dt>
      <dd className="mt-1 text-lg font-semibold tracking-tight break-words">{value}</dd>
      {children && <dd className="text-xs text-muted">{children}</dd>}
    </div>
  )
}
