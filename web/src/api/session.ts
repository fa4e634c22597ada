// Who is signed in, and the organization that a screen is about.

import { queryOptions, useQueryClient, useSuspenseQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { ApiError, get } from './client'
import type { RightName, Rights, Session, SessionOrg } from './shapes'

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async (): Promise<Session | null> => {
    try {
      return await get<Session>('/session')
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null
      throw error
    }
  },
  staleTime: 60_000,
})

/** The session, below the shell, which stands only while there is one. */
export function useSession(): Session {
  const { data } = useSuspenseQuery(sessionQuery)
  if (data === null) throw new ApiError(401, 'not_signed_in', 'You are not signed in.')
  return data
}

/** Signs a page in: all that was loaded for somebody else is forgotten. */
export function useSignedIn(): (session: Session) => void {
  const client = useQueryClient()
  return (session) => {
    client.clear()
    client.setQueryData(sessionQuery.queryKey, session)
  }
}

/** The organization that the path names. An operator sees those, too, of which it is no member. */
export function useOrg(): SessionOrg {
  const session = useSession()
  const { org = '' } = useParams({ strict: false })
  const found = session.orgs.find((each) => each.id === org)
  if (found) return found
  return {
    id: org,
    name: org,
    suspended: false,
    credit_line: null,
    created_at: '',
    role: null,
    balance: '0',
    rights: session.rights,
  }
}

export function has(rights: Rights, name: RightName): boolean {
  return rights[name] !== undefined
}
