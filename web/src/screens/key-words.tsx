// How a key's state, limit and use are said, on the list and on its own page.

import type { Key, SessionOrg } from '../api/shapes'
import { nano, share, usd } from '../money'
import { Badge } from '../ui/badge'
import { Gauge } from '../ui/gauge'

export const RESETS = { never: 'in all', daily: 'a day', weekly: 'a week', monthly: 'a month' }

function stateOf(key: Key): Key['state'] | 'expired' {
  const over = key.expires_at !== null && Date.parse(key.expires_at) <= Date.now()
  return key.state === 'active' && over ? 'expired' : key.state
}

export function KeyState({ of }: { of: Key }) {
  const state = stateOf(of)
  return (
    <Badge tone={state === 'active' ? 'good' : state === 'disabled' ? 'warn' : 'plain'}>
      {state}
    </Badge>
  )
}

/** What of its limit a key has used. Without one of its own, the organization's balance is its limit. */
export function KeyLimit({ of, org }: { of: Key; org: SessionOrg }) {
  if (of.limit === null)
    return (
      <span className="text-muted">
        {org.credit_line === null ? 'none' : `none; ${usd(org.balance)} in the organization`}
      </span>
    )
  const limit = nano(of.limit)
  const left = of.limit_remaining ? nano(of.limit_remaining) : 0n
  const used = limit - (left < 0n ? 0n : left)
  const part = share(used, limit)
  return (
    <div className="w-44 max-w-full">
      <p className="mb-1 text-xs whitespace-nowrap text-muted tabular-nums">
        {usd(of.limit)} USD {RESETS[of.limit_reset]}
      </p>
      <Gauge part={part} label={`${Math.round(part * 100)} % of the limit used`} />
    </div>
  )
}
