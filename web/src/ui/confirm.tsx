import { useMutation } from '@tanstack/react-query'
import { Dialog, DialogForm } from './dialog'
import { FormError } from './field'

interface Props {
  open: boolean
  title: string
  note: string
  action: string
  danger?: boolean
  onConfirm: () => Promise<unknown>
  onClose: () => void
}

/** Asks before something that others will feel, and says what it does. */
export function Confirm({ open, title, note, action, danger, onConfirm, onClose }: Props) {
  const run = useMutation({ mutationFn: onConfirm, onSuccess: onClose })
  const close = () => {
    run.reset()
    onClose()
  }
  return (
    <Dialog open={open} title={title} note={note} onClose={close}>
      <DialogForm
        onSubmit={() => run.mutate()}
        onCancel={close}
        action={action}
        danger={danger}
        busy={run.isPending}
      >
        <FormError error={run.error} />
      </DialogForm>
    </Dialog>
  )
}
