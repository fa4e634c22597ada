import { Dialog } from '@base-ui/react/dialog'
import { useQuery } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { Search } from 'lucide-react'
import { type KeyboardEvent, useDeferredValue, useId, useState } from 'react'
import { get, withQuery } from '../api/client'
import { useSession } from '../api/session'
import type { Generation, Key, Org, Page, Rights, User } from '../api/shapes'
import { cx } from '../ui/class'
import { instancePlaces, orgPlaces } from './navigation'

interface Hit {
  id: string
  label: string
  kind: string
  to: string
}

const MOST = 5

/** Looks for what a text may be the name or the id of. What fails to be found is no error here. */
async function find(text: string, org: string, rights: Rights, own: Rights): Promise<Hit[]> {
  const searches: Promise<Hit[]>[] = []
  if (org && own.see_use && own.see_use !== 'sums') {
    const keys = withQuery(`/orgs/${org}/keys`, { q: text, state: 'all', limit: MOST })
    searches.push(
      get<Page<Key>>(keys).then(({ data }) =>
        data.map((row) => ({
          id: row.id,
          label: `${row.name} · ${row.label}`,
          kind: 'API key',
          to: `/orgs/${org}/keys/${row.id}`,
        })),
      ),
    )
    if (/^[\w.-]{8,}$/.test(text))
      searches.push(
        get<{ data: Generation }>(`/orgs/${org}/generations/${encodeURIComponent(text)}`).then(
          ({ data }) => [
            { id: data.id, label: data.id, kind: 'Request', to: `/orgs/${org}/logs/${data.id}` },
          ],
        ),
      )
  }
  if (rights.see_instance) {
    const query = { q: text, limit: MOST }
    searches.push(
      get<Page<Org>>(withQuery('/admin/orgs', query)).then(({ data }) =>
        data.map((row) => ({
          id: row.id,
          label: row.name,
          kind: 'Organization',
          to: `/admin/orgs/${row.id}`,
        })),
      ),
      get<Page<User>>(withQuery('/admin/users', query)).then(({ data }) =>
        data.map((row) => ({
          id: row.id,
          label: `${row.name} · ${row.email}`,
          kind: 'User',
          to: `/admin/users?q=${encodeURIComponent(row.email)}`,
        })),
      ),
    )
  }
  const found = await Promise.allSettled(searches)
  return found.flatMap((each) => (each.status === 'fulfilled' ? each.value : []))
}

function Finder({ org, onClose }: { org: string; onClose: () => void }) {
  const session = useSession()
  const router = useRouter()
  const list = useId()
  const [text, setText] = useState('')
  const [chosen, setChosen] = useState(0)
  const typed = text.trim()
  const asked = useDeferredValue(typed)
  const own = session.orgs.find((each) => each.id === org)?.rights ?? session.rights
  const places = [
    ...(org ? orgPlaces(org, own) : []),
    ...instancePlaces(session.rights),
    { label: 'Account', to: '/account' },
  ]
  const found = useQuery({
    queryKey: ['palette', org, asked],
    queryFn: () => find(asked, org, session.rights, own),
    enabled: asked.length >= 2,
    retry: false,
  })
  const screens: Hit[] = places
    .filter((each) => each.label.toLowerCase().includes(typed.toLowerCase()))
    .map((each) => ({ id: each.to, label: each.label, kind: 'Screen', to: each.to }))
  // Rows of what was typed before are not offered: Enter would go to one of them.
  const rows = typed === asked && typed.length >= 2 ? (found.data ?? []) : []
  const hits = [...screens, ...rows]
  const at = Math.min(chosen, Math.max(0, hits.length - 1))

  const go = (hit: Hit | undefined) => {
    if (!hit) return
    onClose()
    router.history.push(`/console${hit.to}`)
  }
  const pressed = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step) {
      event.preventDefault()
      setChosen((at + step + hits.length) % Math.max(1, hits.length))
    } else if (event.key === 'Enter') {
      event.preventDefault()
      go(hits[at])
    }
  }
  return (
    <>
      <div className="flex items-center gap-2.5 border-b border-line px-4">
        <Search aria-hidden="true" className="size-4 shrink-0 text-muted" />
        <input
          role="combobox"
          aria-expanded="true"
          aria-controls={list}
          aria-activedescendant={hits[at] && `${list}-${at}`}
          aria-label="Go to a screen, or find by name or id"
          placeholder="Screen, key, request id, organization…"
          value={text}
          onChange={(event) => {
            setText(event.target.value)
            setChosen(0)
          }}
          onKeyDown={pressed}
          className="h-12 w-full min-w-0 bg-transparent text-base outline-none"
        />
      </div>
      <div id={list} role="listbox" aria-label="Found" className="max-h-80 overflow-y-auto p-1.5">
        {hits.length === 0 && (
          <p className="px-3 py-6 text-center text-muted">
            Nothing found. Ids are matched whole, names by their beginning.
          </p>
        )}
        {hits.map((hit, n) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the box above has the keys
          <div
            key={`${hit.kind} ${hit.id}`}
            id={`${list}-${n}`}
            role="option"
            aria-selected={n === at}
            tabIndex={-1}
            onClick={() => go(hit)}
            onPointerMove={() => setChosen(n)}
            className={cx(
              'flex h-9 cursor-pointer items-center gap-3 rounded-md px-2.5',
              n === at && 'bg-raised',
            )}
          >
            <bdi className="min-w-0 grow truncate">{hit.label}</bdi>
            <span className="shrink-0 text-xs text-muted">{hit.kind}</span>
          </div>
        ))}
      </div>
    </>
  )
}

export function Palette({
  open,
  onClose,
  org,
}: {
  open: boolean
  onClose: () => void
  org: string
}) {
  return (
    <Dialog.Root open={open} onOpenChange={(value) => !value && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fade fixed inset-0 z-40 bg-black/40" />
        <Dialog.Popup className="fade fixed inset-x-3 top-[12vh] z-50 mx-auto max-w-xl overflow-hidden rounded-xl border border-line bg-surface shadow-pop">
          <Dialog.Title className="sr-only">Go to</Dialog.Title>
          <Finder org={org} onClose={onClose} />
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
