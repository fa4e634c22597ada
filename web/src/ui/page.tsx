import { type ReactNode, useEffect } from 'react'
import { cx } from './class'

interface Props {
  title: string
  note?: ReactNode
  actions?: ReactNode
  children: ReactNode
}

/** A screen: its title, what can be done, its content. */
export function Screen({ title, note, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} · seekroute`
  }, [title])
  return (
    <div className="mx-auto w-full max-w-6xl px-4 py-6 md:px-8 md:py-8">
      <header className="mb-5 flex flex-wrap items-start justify-between gap-x-4 gap-y-3">
        <div className="min-w-0">
          <h1 className="truncate text-xl font-semibold tracking-tight">{title}</h1>
          {note && <p className="mt-0.5 max-w-prose text-muted">{note}</p>}
        </div>
        {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
      </header>
      {children}
    </div>
  )
}

export function Card({
  title,
  children,
  className,
}: {
  title?: string
  children: ReactNode
  className?: string
}) {
  return (
    <section className={cx('min-w-0 rounded-lg border border-line bg-surface p-4', className)}>
      {title && <h2 className="mb-3 font-medium">{title}</h2>}
      {children}
    </section>
  )
}

/** Names and values, one below the other. */
export function Facts({ rows }: { rows: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="grid grid-cols-[minmax(6.5rem,auto)_minmax(0,1fr)] content-start gap-x-6 gap-y-1">
      {rows.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="py-0.5 text-muted">{name}</dt>
          <dd className="min-w-0 py-0.5 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  )
}

export function Tools({ children }: { children: ReactNode }) {
  return <div className="mb-3 flex flex-wrap items-center gap-2">{children}</div>
}
