// What every list does with its filters: they stand in the URL, and a new filter begins at the newest.

import { useNavigate, useSearch } from '@tanstack/react-router'
import { useEffect, useState } from 'react'

type Query = Record<string, string>

const TYPING_MS = 250

export interface List {
  query: Query
  /** Another filter; the page begins anew. */
  filter: (change: Query) => void
  /** Another page of what is filtered now. */
  page: (cursor: string) => void
}

const given = (query: Query) => Object.fromEntries(Object.entries(query).filter(([, text]) => text))

export function useList(): List {
  const query = useSearch({ strict: false }) as Query
  const navigate = useNavigate()
  const { cursor: _, ...filters } = query
  const show = (search: Query, replace: boolean) =>
    navigate({ to: '.', search: given(search), replace })
  return {
    query,
    filter: (change) => show({ ...filters, ...change }, true),
    page: (cursor) => show({ ...filters, cursor }, false),
  }
}

/** A box whose text becomes a filter once the typing rests. */
export function useTyped(list: List, name: string): [string, (text: string) => void] {
  const now = list.query[name] ?? ''
  const [text, setText] = useState(now)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the typing alone starts the clock
  useEffect(() => {
    if (text === now) return
    const timer = window.setTimeout(() => list.filter({ [name]: text }), TYPING_MS)
    return () => window.clearTimeout(timer)
  }, [text])
  return [text, setText]
}
