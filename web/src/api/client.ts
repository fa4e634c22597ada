// One way to the console's API: JSON, the session's cookie, and the CSRF token that follows from it.

/** What the API says of a request that it refuses. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly param: string | null = null,
    readonly requestId: string | null = null,
  ) {
    super(message)
  }
}

/** What the frame of the pages does about an answer. */
interface Hooks {
  /** The session is over. */
  signedOut: () => void
  /** Asks for the password; false: the person gave up. */
  askPassword: () => Promise<boolean>
}

let csrf = ''
const hooks: Hooks = { signedOut: () => {}, askPassword: async () => false }

/** Registers what is done from now on. */
export function setHooks(value: Partial<Hooks>): void {
  Object.assign(hooks, value)
}

/** Keeps what an answer says of the CSRF token: it changes whenever the cookie does. */
function keepToken(value: unknown): void {
  if (typeof value === 'object' && value !== null && 'csrf' in value) csrf = String(value.csrf)
}

async function once<T>(
  method: string,
  path: string,
  body?: unknown,
  more?: Record<string, string>,
): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json', ...more }
  if (method !== 'GET') {
    headers['content-type'] = 'application/json'
    if (csrf) headers['x-csrf-token'] = csrf
  }
  let response: Response
  try {
    response = await fetch(`/api/console${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    })
  } catch {
    throw new ApiError(0, 'offline', 'The gateway cannot be reached. Check that it is running.')
  }
  const text = await response.text()
  let told: unknown
  try {
    told = text ? JSON.parse(text) : undefined
  } catch {
    told = undefined
  }
  if (!response.ok) {
    const error = (told as { error?: Record<string, unknown> } | undefined)?.error ?? {}
    throw new ApiError(
      response.status,
      String(error.code ?? response.status),
      String(error.message ?? `The gateway answered ${response.status}.`),
      error.param ? String(error.param) : null,
      response.headers.get('x-request-id'),
    )
  }
  keepToken(told)
  return told as T
}

/**
 * Asks for something below `/api/console`. An answer that only wants the password again, or the token
 * of a cookie that another tab has renewed, is met once, and the request repeated.
 */
export async function ask<T>(
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
): Promise<T> {
  try {
    return await once<T>(method, path, body, headers)
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    if (error.code === 'csrf_failed') await once('GET', '/session')
    else if (error.code === 'reauthentication_required') {
      if (!(await hooks.askPassword()))
        throw new ApiError(403, 'cancelled', 'Nothing was changed: your password is needed.')
    } else {
      if (error.code === 'not_signed_in' && path !== '/session' && !path.startsWith('/invitations'))
        hooks.signedOut()
      throw error
    }
    return await once<T>(method, path, body, headers)
  }
}

export const get = <T>(path: string) => ask<T>('GET', path)

/** A path with the parameters that are not empty. */
export function withQuery(
  path: string,
  query: Record<string, string | number | undefined>,
): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== '')
  const text = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString()
  return text ? `${path}?${text}` : path
}
