// The API's moments are ISO 8601 in UTC. Pages show UTC and say so.

/** `2026-12-01 03:04:05`, in UTC. */
export function utc(iso: string): string {
  return new Date(iso).toISOString().slice(0, 19).replace('T', ' ')
}

/** How long ago, or until, in one unit. */
export function distance(iso: string, now = Date.now()): string {
  const seconds = Math.round((now - Date.parse(iso)) / 1000)
  const size = Math.abs(seconds)
  if (size < 45) return seconds < 0 ? 'in a moment' : 'just now'
  const [count, unit] =
    size < 3600
      ? [Math.round(size / 60), 'min']
      : size < 86_400
        ? [Math.round(size / 3600), 'h']
        : [Math.round(size / 86_400), 'd']
  return seconds < 0 ? `in ${count} ${unit}` : `${count} ${unit} ago`
}

/** Milliseconds as a person reads them. */
export function duration(ms: number | null): string {
  if (ms === null) return '–'
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`
}
