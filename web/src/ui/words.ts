/** A count and what is counted: `1 request`, `2,000 requests`. */
export function counted(count: number | bigint, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 || count === 1n ? '' : 's'}`
}
