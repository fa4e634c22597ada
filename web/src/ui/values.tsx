// How single values are shown everywhere.

import type { ReactNode } from 'react'
import { usd } from '../money'
import { distance, utc } from '../time'

/** An amount of USD, exact. */
export function Usd({ value, unit = false }: { value: string | null | undefined; unit?: boolean }) {
  if (value === null || value === undefined) return <span className="text-muted">–</span>
  return (
    <span className="tabular-nums">
      {usd(value)}
      {unit && <span className="text-muted"> USD</span>}
    </span>
  )
}

/** How long ago; the moment itself when it is pointed at. */
export function Ago({ at, never = 'never' }: { at: string | null | undefined; never?: string }) {
  if (!at) return <span className="text-muted">{never}</span>
  return (
    <time dateTime={at} title={`${utc(at)} UTC`} className="whitespace-nowrap">
      {distance(at)}
    </time>
  )
}

export function Mono({ children }: { children: ReactNode }) {
  return <span className="font-mono text-xs break-all">{children}</span>
}

/** Text that somebody typed: it may be long, and of either direction. */
export function Named({ children }: { children: string }) {
  return (
    <bdi title={children} className="block max-w-60 truncate">
      {children}
    </bdi>
  )
}
