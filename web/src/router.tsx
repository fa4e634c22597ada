// Every path of the console. What a list filters by stands in the URL; the API checks its values.

import { QueryClient } from '@tanstack/react-query'
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { ApiError, setHooks } from './api/client'
import { sessionQuery } from './api/session'
import { Landing } from './screens/landing'
import { NotFound, Trouble } from './screens/trouble'

export const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // What was refused is refused again; what failed on the way is worth another try.
      retry: (count, error) => count < 2 && error instanceof ApiError && error.status >= 500,
    },
  },
})

type Query = Record<string, string>

/** The named parameters of a URL that are texts. */
function texts(...names: string[]) {
  return (search: Record<string, unknown>): Query =>
    Object.fromEntries(
      names
        .filter((name) => search[name] !== undefined && search[name] !== '')
        .map((name) => [name, String(search[name])]),
    )
}

const root = createRootRoute({ errorComponent: Trouble, notFoundComponent: NotFound })

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: texts('next'),
  component: lazyRouteComponent(() => import('./screens/sign-in'), 'SignIn'),
})
const setup = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  component: lazyRouteComponent(() => import('./screens/setup'), 'Setup'),
})
const invitation = createRoute({
  getParentRoute: () => root,
  path: '/invitation',
  component: lazyRouteComponent(() => import('./screens/invitation'), 'AcceptInvitation'),
})
const reset = createRoute({
  getParentRoute: () => root,
  path: '/reset',
  component: lazyRouteComponent(() => import('./screens/reset'), 'ResetPassword'),
})

const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  component: lazyRouteComponent(() => import('./app/shell'), 'Shell'),
  beforeLoad: async ({ location }) => {
    if ((await client.ensureQueryData(sessionQuery)) === null)
      throw redirect({ to: '/sign-in', search: { next: location.href } })
  },
})
/** A screen below the shell; `query` are the parameters that its URL may have. */
function screen<Path extends string>(
  path: Path,
  load: () => Promise<Record<string, unknown>>,
  name: string,
  ...query: string[]
) {
  return createRoute({
    getParentRoute: () => shell,
    path,
    validateSearch: texts(...query),
    component: lazyRouteComponent(load as () => Promise<Record<string, () => ReactNode>>, name),
  })
}

const landing = createRoute({ getParentRoute: () => shell, path: '/', component: Landing })
const screens = [
  screen('/account', () => import('./screens/account'), 'Account'),
  screen('/orgs/$org', () => import('./screens/home'), 'Home'),
  screen('/orgs/$org/keys', () => import('./screens/keys'), 'Keys', 'q', 'state', 'cursor'),
  screen('/orgs/$org/keys/$key', () => import('./screens/one-key'), 'OneKey'),
  screen(
    '/orgs/$org/logs',
    () => import('./screens/logs'),
    'Logs',
    'key',
    'model',
    'status',
    'cursor',
  ),
  screen('/orgs/$org/logs/$id', () => import('./screens/one-request'), 'OneRequest'),
  screen('/orgs/$org/models', () => import('./screens/models'), 'Models', 'q'),
  screen('/orgs/$org/apps', () => import('./screens/apps'), 'Apps'),
  screen('/orgs/$org/members', () => import('./screens/members'), 'Members'),
  screen('/orgs/$org/management-keys', () => import('./screens/management-keys'), 'ManagementKeys'),
  screen('/orgs/$org/audit', () => import('./screens/audit'), 'Audit', 'cursor'),
  screen('/admin', () => import('./screens/admin/today'), 'Today'),
  screen('/admin/orgs', () => import('./screens/admin/orgs'), 'Orgs', 'q', 'cursor'),
  screen('/admin/orgs/$org', () => import('./screens/admin/one-org'), 'OneOrg'),
  screen('/admin/users', () => import('./screens/admin/users'), 'Users', 'q', 'cursor'),
  screen('/admin/apps', () => import('./screens/admin/apps'), 'AppApprovals', 'status'),
  screen('/admin/audit', () => import('./screens/audit'), 'Audit', 'cursor'),
  screen('/admin/system', () => import('./screens/admin/system'), 'SystemScreen'),
] as const

const routes = root.addChildren([
  signIn,
  setup,
  invitation,
  reset,
  shell.addChildren([landing, ...screens]),
])

export const router = createRouter({
  routeTree: routes,
  basepath: '/console',
  defaultPreload: 'intent',
  scrollRestoration: true,
  // Texts of a URL stay texts: an id of digits is not a number, and no quotes are put around it.
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (search) => {
    const text = new URLSearchParams(search as Query).toString()
    return text ? `?${text}` : ''
  },
})

setHooks({
  signedOut: () => {
    client.setQueryData(sessionQuery.queryKey, null)
    const next = router.state.location.href
    if (!next.startsWith('/sign-in')) router.navigate({ to: '/sign-in', search: { next } })
  },
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
