import { useState } from 'react'
import { Button } from './button'
import { Code } from './copy'
import { Dialog } from './dialog'

interface Props {
  title: string
  label: string
  text: string | null
  note: string
  onClose: () => void
}

/** What is shown this once: it closes only for somebody who says that it is saved. */
export function Secret({ title, label, text, note, onClose }: Props) {
  const [saved, setSaved] = useState(false)
  if (text === null) return null
  return (
    <Dialog open firm title={title} note={note} onClose={onClose}>
      <Code text={text} label={label} />
      <div className="mt-4 flex flex-wrap items-center justify-between gap-3">
        <label className="flex items-center gap-2">
          <input
            type="checkbox"
            checked={saved}
            onChange={(event) => setSaved(event.target.checked)}
            className="size-4 accent-accent"
          />
          I have saved it
        </label>
        <Button kind="primary" disabled={!saved} onClick={onClose}>
          Done
        </Button>
      </div>
    </Dialog>
  )
}
