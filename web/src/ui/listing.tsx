// A list as every screen has it: loading, empty, its table, and the way to other pages.

import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Loaded } from './states'
import { type Column, Head, Pager, Table } from './table'
import type { List } from './use-list'

interface Props<T> {
  query: UseQueryResult<{ data: T[]; next?: string | null }>
  label: string
  columns: readonly Column[]
  /** A `Row` with its key. */
  row: (row: T) => ReactNode
  /** What stands there when no row does. */
  empty?: ReactNode
  /** Of a list that has several pages. */
  list?: List
  /** Of the buttons to the first page and to the next one. */
  words?: [string, string]
}

export function Listing<T>({ query, label, columns, row, empty, list, words }: Props<T>) {
  return (
    <Loaded query={query}>
      {({ data, next = null }) => (
        <>
          {data.length === 0 && empty}
          {data.length > 0 && (
            <Table label={label}>
              <Head columns={columns} />
              <tbody>{data.map(row)}</tbody>
            </Table>
          )}
          {list && (
            <Pager
              later={Boolean(list.query.cursor)}
              next={next}
              words={words}
              onNewest={() => list.filter({})}
              onOlder={list.page}
            />
          )}
        </>
      )}
    </Loaded>
  )
}
