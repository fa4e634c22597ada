// Money is a decimal string of USD from the API to the screen. It is never a float: sums and
// comparisons use nano-USD as bigint.

const PLACES = 9

/** Nano-USD of a decimal string. */
export function nano(text: string): bigint {
  const negative = text.startsWith('-')
  const [whole = '0', part = ''] = (negative ? text.slice(1) : text).split('.')
  const value = BigInt(whole || '0') * 10n ** 9n + BigInt(part.padEnd(PLACES, '0').slice(0, PLACES))
  return negative ? -value : value
}

/** A decimal string of nano-USD, without zeros at its end. */
export function decimal(value: bigint): string {
  const size = value < 0n ? -value : value
  const part = (size % 10n ** 9n).toString().padStart(PLACES, '0').replace(/0+$/, '')
  return `${value < 0n ? '-' : ''}${size / 10n ** 9n}${part ? `.${part}` : ''}`
}

/** The exact amount as people read it: thousands parted, at least cents, nothing rounded. */
export function usd(text: string): string {
  const negative = text.startsWith('-')
  const [whole = '0', part = ''] = (negative ? text.slice(1) : text).split('.')
  const parted = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  return `${negative ? '−' : ''}${parted}.${part.replace(/0+$/, '').padEnd(2, '0')}`
}

/** How much of `whole` a part is, from 0 to 1. For drawing alone: it is rounded. */
export function share(part: bigint, whole: bigint): number {
  if (whole <= 0n || part <= 0n) return 0
  return Math.min(1, Number((part * 10_000n) / whole) / 10_000)
}

/** What is wrong with an amount of USD as it is typed; null: nothing. Empty is no amount. */
export function amountError(text: string, { signed = false } = {}): string | null {
  const pattern = signed ? /^-?\d{1,9}(\.\d{1,9})?$/ : /^\d{1,9}(\.\d{1,9})?$/
  if (text.trim() === '' || pattern.test(text.trim())) return null
  return `An amount of USD, such as 12.50${signed ? ' or -5' : ''}`
}
