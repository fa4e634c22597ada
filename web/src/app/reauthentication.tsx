import { useEffect, useState } from 'react'
import { ask, setHooks } from '../api/client'
import { useSession } from '../api/session'
import { Dialog, DialogForm } from '../ui/dialog'
import { FormError, TextField } from '../ui/field'

/** The dialog that asks for the password before something that matters; the request then goes on. */
export function Reauthentication() {
  const { user } = useSession()
  const [done, setDone] = useState<((given: boolean) => void) | null>(null)
  const [password, setPassword] = useState('')
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  useEffect(() => {
    setHooks({ askPassword: () => new Promise((told) => setDone(() => told)) })
  }, [])

  const end = (given: boolean) => {
    done?.(given)
    setDone(null)
    setPassword('')
    setError(null)
  }
  const submit = async () => {
    setBusy(true)
    try {
      await ask('POST', '/session/again', { password })
      end(true)
    } catch (found) {
      setError(found)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Dialog
      open={done !== null}
      onClose={() => end(false)}
      title="Confirm that it is you"
      note="You gave your password more than ten minutes ago."
    >
      <DialogForm onSubmit={submit} onCancel={() => end(false)} action="Continue" busy={busy}>
        {/* For the browser's keeper of passwords. */}
        <input type="text" autoComplete="username" value={user.email} readOnly hidden />
        <TextField
          label="Password"
          type="password"
          autoComplete="current-password"
          autoFocus
          required
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        <FormError error={error} />
      </DialogForm>
    </Dialog>
  )
}
