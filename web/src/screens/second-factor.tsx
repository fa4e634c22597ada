import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { ask } from '../api/client'
import { sessionQuery, useSession } from '../api/session'
import { Button } from '../ui/button'
import { Confirm } from '../ui/confirm'
import { Code } from '../ui/copy'
import { Dialog, DialogForm } from '../ui/dialog'
import { FormError, fieldError, TextField } from '../ui/field'
import { Card } from '../ui/page'
import { Secret } from '../ui/secret'

interface Seed {
  secret: string
  svg: string
}
interface Codes {
  recovery_codes: string[]
}

export function SecondFactor() {
  const { user } = useSession()
  const client = useQueryClient()
  const [code, setCode] = useState('')
  const [removing, setRemoving] = useState(false)
  const [codes, setCodes] = useState<string | null>(null)
  const changed = () => client.invalidateQueries({ queryKey: sessionQuery.queryKey })
  const show = (told: Codes) => {
    setCodes(told.recovery_codes.join('\n'))
    return changed()
  }
  const begin = useMutation({ mutationFn: () => ask<Seed>('POST', '/me/totp') })
  const confirm = useMutation({
    mutationFn: () => ask<Codes>('POST', '/me/totp/confirm', { code }),
    onSuccess: (told) => {
      begin.reset()
      setCode('')
      return show(told)
    },
  })
  const renew = useMutation({
    mutationFn: () => ask<Codes>('POST', '/me/recovery-codes'),
    onSuccess: show,
  })
  return (
    <Card title="Second factor">
      <p className="mb-4 text-muted">
        {user.has_totp
          ? 'On. Signing in asks for a code of your app, or a recovery code.'
          : 'Off. With it a stolen password alone does not sign anybody in.'}
      </p>
      <div className="flex flex-wrap gap-2">
        {user.has_totp ? (
          <>
            <Button busy={renew.isPending} onClick={() => renew.mutate()}>
              New recovery codes
            </Button>
            <Button kind="danger" onClick={() => setRemoving(true)}>
              Remove
            </Button>
          </>
        ) : (
          <Button busy={begin.isPending} onClick={() => begin.mutate()}>
            Set up an app
          </Button>
        )}
      </div>
      <FormError error={begin.error ?? renew.error} />
      {begin.data && (
        <Dialog
          open
          title="Set up an authenticator app"
          note="Scan the picture with your app, or type the secret, then enter the code that it shows."
          onClose={() => begin.reset()}
        >
          <DialogForm
            onSubmit={() => confirm.mutate()}
            onCancel={() => begin.reset()}
            action="Turn on"
            busy={confirm.isPending}
          >
            <img
              src={`data:image/svg+xml;utf8,${encodeURIComponent(begin.data.svg)}`}
              alt="QR code of the secret below"
              className="mx-auto size-48 rounded-md bg-white p-1"
            />
            <Code text={begin.data.secret} label="Secret" />
            <TextField
              label="Code"
              inputMode="numeric"
              autoComplete="one-time-code"
              required
              value={code}
              onChange={(event) => setCode(event.target.value)}
              error={fieldError(confirm.error, 'code')}
            />
            <FormError error={confirm.error} except={['code']} />
          </DialogForm>
        </Dialog>
      )}
      <Confirm
        danger
        open={removing}
        title="Remove the second factor?"
        note="Your password alone signs you in again. The recovery codes are void."
        action="Remove"
        onConfirm={() => ask('DELETE', '/me/totp').then(changed)}
        onClose={() => setRemoving(false)}
      />
      <Secret
        title="Save your recovery codes"
        label="Recovery codes"
        text={codes}
        note="Each signs you in once if you lose your app. They are shown this once."
        onClose={() => setCodes(null)}
      />
    </Card>
  )
}
