// The JSON of the console's API (python/seekroute/console/shapes.py). Amounts are decimal strings.

type Grant = 'all' | 'own' | 'sums'
export type Role = 'owner' | 'admin' | 'billing' | 'member'
export type RightName =
  | 'see_use'
  | 'change_keys'
  | 'see_balance'
  | 'see_members'
  | 'change_members'
  | 'create_apps'
  | 'management_keys'
  | 'see_audit'
  | 'see_instance'
  | 'change_instance'
export type Rights = Partial<Record<RightName, Grant>>

export interface User {
  id: string
  email: string
  name: string
  instance_role: 'operator' | 'support' | null
  has_totp: boolean
  disabled: boolean
  created_at: string
  last_seen_at: string | null
}

export interface Org {
  id: string
  name: string
  suspended: boolean
  credit_line: string | null
  created_at: string
}

export interface SessionOrg extends Org {
  role: Role | null
  balance: string
  rights: Rights
}

export interface Session {
  user: User
  orgs: SessionOrg[]
  instance_role: 'operator' | 'support' | null
  rights: Rights
  csrf: string
  features: { credits: boolean; version: string; api_base: string; example_model: string }
}

export interface Page<T> {
  data: T[]
  next: string | null
  scanned_to?: string | null
  total?: number
}

export interface Key {
  id: string
  name: string
  label: string
  state: 'active' | 'disabled' | 'revoked'
  creator: { id: string; email: string } | null
  models: string[] | null
  limit: string | null
  limit_reset: 'never' | 'daily' | 'weekly' | 'monthly'
  created_at: string
  expires_at: string | null
  version: number
  limit_remaining?: string | null
  usage?: string
  usage_daily?: string
  usage_weekly?: string
  usage_monthly?: string
  last_used_at?: string | null
}

export interface Generation {
  id: string
  request_id: string
  created_at: string
  state: string
  model: string
  requested_model: string
  provider: string | null
  key_id: string | null
  key_name: string | null
  status: number | null
  error: string | null
  settlement: string
  prompt_tokens: number | null
  completion_tokens: number | null
  cost: string
  first_ms: number | null
  total_ms: number | null
}

export interface DaySum {
  date: string
  requests: number
  cost: string
  failed: number
}
export interface TopRow {
  id: string
  name: string
  requests: number
  cost: string
}
export interface Overview {
  org: Org
  ledger: boolean
  balance: { available: string; held: string; owed: string; credit_line: string | null }
  days: DaySum[]
  models: TopRow[]
  keys: TopRow[]
  failures: Generation[]
}

export interface Member {
  user_id: string
  email: string
  name: string
  role: Role
  monthly_limit: string | null
  disabled: boolean
  joined_at: string
  last_seen_at: string | null
}
export interface Invitation {
  id: string
  email: string
  role: Role
  created_at: string
  expires_at: string
  expired: boolean
}
export interface App {
  id: string
  org_id: string
  name: string
  status: 'pending' | 'approved' | 'rejected'
  created_at: string
}
export interface AuditRow {
  n: number
  at: string
  actor: { kind: string; id: string; label: string }
  org_id: string | null
  action: string
  target: string
  before: string | null
  after: string | null
  address: string
}
export interface SignedInBrowser {
  id: string
  current: boolean
  created_at: string
  last_seen_at: string
  address: string
  agent: string
}
export interface System {
  version: string
  data_dir: string
  config: string
  public_url: string
  ledger: boolean
  mock: boolean
  profiles: string[]
  providers: { name: string; shown_name: string; has_key: boolean; models: number }[]
  warnings: string[]
}
