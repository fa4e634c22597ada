import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { ask } from '../api/client'
import { Button, buttonClass } from '../ui/button'
import { FormError, fieldError } from '../ui/field'
import { Gate, tokenOfLink } from './gate'
import { NewPassword } from './new-account'

export function ResetPassword() {
  const [token] = useState(tokenOfLink)
  const [password, setPassword] = useState('')
  const change = useMutation({
    mutationFn: () => ask('POST', '/password/reset', { token, password }),
    onSuccess: () => window.history.replaceState(null, '', window.location.pathname),
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    change.mutate()
  }
  if (change.isSuccess)
    return (
      <Gate title="Your password is changed" note="You were signed out everywhere.">
        <Link to="/sign-in" className={buttonClass('primary', 'h-9 w-full')}>
          Sign in
        </Link>
      </Gate>
    )
  return (
    <Gate title="Set a new password" note="It signs you out in all browsers.">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <NewPassword
          label="New password"
          value={password}
          onChange={setPassword}
          error={fieldError(change.error, 'password')}
        />
        <FormError error={change.error} except={['password']} />
        <Button type="submit" kind="primary" busy={change.isPending} className="h-9">
          Set password
        </Button>
      </form>
    </Gate>
  )
}
