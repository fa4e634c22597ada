// The screens that the navigation and the palette offer, and the right that each needs.

import {
  Activity,
  AppWindow,
  Boxes,
  Building2,
  House,
  KeyRound,
  type LucideIcon,
  ScrollText,
  Server,
  ShieldCheck,
  Terminal,
  Users,
} from 'lucide-react'
import type { RightName, Rights } from '../api/shapes'

export interface Place {
  label: string
  icon: LucideIcon
  to: string
  right: RightName
}

const ORG: readonly Place[] = [
  { label: 'Home', icon: House, to: '', right: 'see_balance' },
  { label: 'API keys', icon: KeyRound, to: '/keys', right: 'see_use' },
  { label: 'Logs', icon: ScrollText, to: '/logs', right: 'see_use' },
  { label: 'Models', icon: Boxes, to: '/models', right: 'see_balance' },
  { label: 'Apps', icon: AppWindow, to: '/apps', right: 'see_use' },
  { label: 'Members', icon: Users, to: '/members', right: 'see_members' },
  { label: 'Management keys', icon: Terminal, to: '/management-keys', right: 'management_keys' },
  { label: 'Audit log', icon: ShieldCheck, to: '/audit', right: 'see_audit' },
]

const INSTANCE: readonly Place[] = [
  { label: 'Today', icon: Activity, to: '/admin', right: 'see_instance' },
  { label: 'Organizations', icon: Building2, to: '/admin/orgs', right: 'see_instance' },
  { label: 'Users', icon: Users, to: '/admin/users', right: 'see_instance' },
  { label: 'App approvals', icon: AppWindow, to: '/admin/apps', right: 'see_instance' },
  { label: 'Audit of all', icon: ShieldCheck, to: '/admin/audit', right: 'see_instance' },
  { label: 'System', icon: Server, to: '/admin/system', right: 'see_instance' },
]

/** What of an organization somebody with these rights can open. Sums alone are no list of rows. */
export function orgPlaces(org: string, rights: Rights): Place[] {
  return ORG.filter(
    (each) =>
      rights[each.right] !== undefined && !(each.right === 'see_use' && rights.see_use === 'sums'),
  ).map((each) => ({ ...each, to: `/orgs/${org}${each.to}` }))
}

export function instancePlaces(rights: Rights): readonly Place[] {
  return rights.see_instance ? INSTANCE : []
}
