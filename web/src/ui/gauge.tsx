interface GaugeProps {
  part: number
  label: string
  /** A share of something, which is no limit: no part of it is a warning. */
  plain?: boolean
}

/** How much of a limit is used. */
export function Gauge({ part, label, plain = false }: GaugeProps) {
  const fill = plain || part < 0.8 ? 'fill-bar' : part < 1 ? 'fill-warn' : 'fill-bad'
  return (
    <svg
      role="img"
      aria-label={label}
      viewBox="0 0 100 4"
      preserveAspectRatio="none"
      className="h-1 w-full rounded-full"
    >
      <rect width="100" height="4" className="fill-line" />
      <rect width={part * 100} height="4" className={fill} />
    </svg>
  )
}
