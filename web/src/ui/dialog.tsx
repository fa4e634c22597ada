import { Dialog as Base } from '@base-ui/react/dialog'
import { X } from 'lucide-react'
import type { FormEvent, ReactNode } from 'react'
import { Button, IconButton } from './button'

interface Props {
  open: boolean
  onClose: () => void
  title: string
  note?: ReactNode
  children: ReactNode
  /** No way out but its own buttons: for what is shown once. */
  firm?: boolean
}

export function Dialog({ open, onClose, title, note, children, firm = false }: Props) {
  return (
    <Base.Root
      open={open}
      onOpenChange={(value) => !value && !firm && onClose()}
      disablePointerDismissal={firm}
    >
      <Base.Portal>
        <Base.Backdrop className="fade fixed inset-0 z-40 bg-black/40" />
        <Base.Popup className="fade fixed inset-x-3 top-[8vh] z-50 mx-auto max-h-[84vh] max-w-lg overflow-y-auto rounded-xl border border-line bg-surface p-5 shadow-pop">
          <div className="flex items-start gap-3">
            <Base.Title className="grow text-base font-semibold">{title}</Base.Title>
            {!firm && (
              <IconButton label="Close" onClick={onClose} className="-mt-0.5 -mr-1.5">
                <X />
              </IconButton>
            )}
          </div>
          {note && <Base.Description className="mt-1 text-muted">{note}</Base.Description>}
          <div className="mt-4">{children}</div>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  )
}

interface FormProps {
  onSubmit: () => void
  onCancel?: () => void
  action: string
  busy?: boolean
  danger?: boolean
  children?: ReactNode
}

/** A form whose buttons stand at its end, as every dialog has them. */
export function DialogForm({ onSubmit, onCancel, action, busy, danger, children }: FormProps) {
  const submit = (event: FormEvent) => {
    event.preventDefault()
    onSubmit()
  }
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      {children}
      <div className="mt-1 flex justify-end gap-2">
        {onCancel && <Button onClick={onCancel}>Cancel</Button>}
        <Button type="submit" kind={danger ? 'danger' : 'primary'} busy={busy}>
          {action}
        </Button>
      </div>
    </form>
  )
}
