import { Navigate } from '@tanstack/react-router'
import { useSession } from '../api/session'
import { useShownOrg } from '../app/shown-org'
import { Screen } from '../ui/page'
import { Empty } from '../ui/states'

/** `/console/` leads to the organization that was open last, or to the operator's view. */
export function Landing() {
  const org = useShownOrg()
  const { rights } = useSession()
  if (org) return <Navigate to="/orgs/$org" params={{ org }} replace />
  if (rights.see_instance) return <Navigate to="/admin" replace />
  return (
    <Screen title="Home">
      <Empty title="You belong to no organization">
        Ask for an invitation, and open its link in this browser.
      </Empty>
    </Screen>
  )
}
