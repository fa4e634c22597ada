import { useParams } from '@tanstack/react-router'
import { useEffect } from 'react'
import { useSession } from '../api/session'

const LAST = 'seekroute.org'

/** The organization that the navigation is about: the path's, the last one, or the first. */
export function useShownOrg(): string {
  const session = useSession()
  const { org } = useParams({ strict: false })
  const last = window.localStorage.getItem(LAST)
  const known = session.orgs.some((each) => each.id === last) ? last : null
  useEffect(() => {
    if (org) window.localStorage.setItem(LAST, org)
  }, [org])
  return org ?? known ?? session.orgs[0]?.id ?? ''
}
