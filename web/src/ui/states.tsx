// What a screen shows while it has no data, none yet, or none to get.

import type { UseQueryResult } from '@tanstack/react-query'
import { CircleAlert, Lock } from 'lucide-react'
import type { ReactNode } from 'react'
import { ApiError } from '../api/client'
import { Button } from './button'

export function Skeleton({ rows = 8 }: { rows?: number }) {
  return (
    <div aria-busy="true" className="flex flex-col gap-3 py-3">
      <span className="sr-only">Loading</span>
      {Array.from({ length: rows }, (_, n) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: grey lines have no other name
        <div key={n} className="skeleton h-5" />
      ))}
    </div>
  )
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-3 rounded-xl border border-dashed border-line px-6 py-14 text-center">
      <p className="font-medium">{title}</p>
      {children && <div className="max-w-md text-muted">{children}</div>}
    </div>
  )
}

export function Failed({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const told = error instanceof ApiError ? error : null
  const Icon = told?.status === 403 ? Lock : CircleAlert
  return (
    <div role="alert" className="flex items-start gap-3 rounded-xl border border-line p-4">
      <Icon className="mt-0.5 size-4 shrink-0 text-bad" />
      <div className="min-w-0 grow">
        <p className="font-medium">{error instanceof Error ? error.message : 'It failed.'}</p>
        <p className="mt-0.5 font-mono text-xs text-muted">
          {told?.code}
          {told?.requestId && ` · ${told.requestId}`}
        </p>
      </div>
      {onRetry && told?.status !== 403 && <Button onClick={onRetry}>Try again</Button>}
    </div>
  )
}

interface LoadedProps<T> {
  query: UseQueryResult<T>
  rows?: number
  children: (data: T) => ReactNode
}

/** The data of a query. What was loaded stays in place when loading it again fails. */
export function Loaded<T>({ query, rows, children }: LoadedProps<T>) {
  const failed = query.error && <Failed error={query.error} onRetry={() => query.refetch()} />
  if (query.data === undefined) return failed || <Skeleton rows={rows} />
  return (
    <>
      {failed}
      {children(query.data)}
    </>
  )
}
