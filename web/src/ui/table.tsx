import type { ComponentProps, ReactNode } from 'react'
import { Button } from './button'
import { cx } from './class'

/** A table that scrolls within itself: the page never does sideways. */
export function Table({ label, children }: { label: string; children: ReactNode }) {
  return (
    <section
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard
      tabIndex={0}
      className="overflow-x-auto rounded-lg border border-line bg-surface"
    >
      <table className="w-full border-collapse text-left">{children}</table>
    </section>
  )
}

export interface Column {
  name: string
  end?: boolean
  /** Left out below this width. */
  from?: 'md' | 'lg'
  /** Its name is for readers of the screen alone. */
  hidden?: boolean
}

const FROM = { md: 'max-md:hidden', lg: 'max-lg:hidden' }

export function Head({ columns }: { columns: readonly Column[] }) {
  return (
    <thead>
      <tr className="border-b border-line bg-canvas text-xs text-muted">
        {columns.map((each) => (
          <th
            key={each.name}
            scope="col"
            className={cx(
              'h-8 px-2 font-medium whitespace-nowrap sm:px-3',
              each.end && 'text-right',
              each.from && FROM[each.from],
            )}
          >
            {each.hidden ? <span className="sr-only">{each.name}</span> : each.name}
          </th>
        ))}
      </tr>
    </thead>
  )
}

export function Row({ className, ...rest }: ComponentProps<'tr'>) {
  return (
    <tr
      {...rest}
      className={cx('border-b border-line last:border-0 hover:bg-raised/60', className)}
    />
  )
}

interface CellProps extends ComponentProps<'td'> {
  end?: boolean
  from?: 'md' | 'lg'
}

export function Cell({ end, from, className, ...rest }: CellProps) {
  return (
    <td
      {...rest}
      className={cx(
        'h-10 px-2 py-1.5 sm:px-3',
        end && 'text-right whitespace-nowrap',
        from && FROM[from],
        className,
      )}
    />
  )
}

interface PagerProps {
  /** Whether this is not the newest page. */
  later: boolean
  next: string | null
  onNewest: () => void
  onOlder: (cursor: string) => void
  words?: [string, string]
}

export function Pager({ later, next, onNewest, onOlder, words = ['Newest', 'Older'] }: PagerProps) {
  if (!later && next === null) return null
  return (
    <nav aria-label="Pages" className="mt-3 flex justify-end gap-2">
      {later && <Button onClick={onNewest}>{words[0]}</Button>}
      {next !== null && <Button onClick={() => onOlder(next)}>{words[1]}</Button>}
    </nav>
  )
}
