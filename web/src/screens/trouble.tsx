import { Link } from '@tanstack/react-router'
import { buttonClass } from '../ui/button'
import { Empty, Failed } from '../ui/states'

/** What is shown in place of a page that fell. */
export function Trouble({ error, reset }: { error: unknown; reset: () => void }) {
  return (
    <main className="mx-auto max-w-xl px-4 py-16">
      <Failed error={error} onRetry={reset} />
    </main>
  )
}

export function NotFound() {
  return (
    <main className="mx-auto max-w-xl px-4 py-16">
      <h1 className="sr-only">No such page</h1>
      <Empty title="There is no such page">
        <Link to="/" className={buttonClass()}>
          Go home
        </Link>
      </Empty>
    </main>
  )
}
