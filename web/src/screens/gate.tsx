// What stands before the console: a narrow page with one form.

import { type ReactNode, useEffect } from 'react'
import mark from '../mark.svg'

interface Props {
  title: string
  note?: ReactNode
  children: ReactNode
  wide?: boolean
}

export function Gate({ title, note, children, wide = false }: Props) {
  useEffect(() => {
    document.title = `${title} · seekroute`
  }, [title])
  return (
    <main className="flex min-h-dvh justify-center px-4 py-[10vh]">
      <div className={wide ? 'w-full max-w-xl' : 'w-full max-w-sm'}>
        <img src={mark} alt="" className="mb-6 size-9" />
        <h1 className="text-xl font-semibold tracking-tight break-words">{title}</h1>
        {note && <p className="mt-1 text-muted break-words">{note}</p>}
        <div className="mt-6">{children}</div>
      </div>
    </main>
  )
}

/** The secret of a link, which stands behind its `#`: browsers send that nowhere. */
export function tokenOfLink(): string {
  return window.location.hash.slice(1)
}
