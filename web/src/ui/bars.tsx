import { nano, share, usd } from '../money'
import { counted } from './words'

interface Bar {
  date: string
  cost: string
  requests: number
  failed: number
}

const HEIGHT = 120
const WIDTH = 600
const GAP = 3

/**
 * Costs by day as bars; today, which is not over, hatched. The same numbers stand in a table for
 * readers of the screen.
 */
export function CostBars({ days }: { days: readonly Bar[] }) {
  const costs = days.map((each) => nano(each.cost))
  // biome-ignore lint/complexity/useMathMinMax: Math has no bigint
  const most = costs.reduce((a, b) => (a > b ? a : b), 0n)
  const step = WIDTH / Math.max(1, days.length)
  return (
    <figure className="relative min-w-0">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        aria-hidden="true"
        className="h-32 w-full"
      >
        <defs>
          <pattern
            id="so-far"
            width="5"
            height="5"
            patternUnits="userSpaceOnUse"
            patternTransform="rotate(45)"
          >
            <rect width="5" height="5" className="fill-accent-soft" />
            <rect width="2" height="5" className="fill-bar" />
          </pattern>
        </defs>
        {days.map((each, n) => {
          const part = share(costs[n] ?? 0n, most)
          const height = part > 0 ? Math.max(2, part * (HEIGHT - 4)) : 1
          const today = n === days.length - 1
          return (
            <g key={each.date}>
              <title>
                {`${each.date}${today ? ', so far' : ''}: ${usd(each.cost)} USD, ${counted(each.requests, 'request')}, ${each.failed} failed`}
              </title>
              <rect x={n * step} width={step} height={HEIGHT} fill="transparent" />
              <rect
                x={n * step + GAP / 2}
                y={HEIGHT - height}
                width={step - GAP}
                height={height}
                rx={part > 0 ? 1.5 : 0}
                className={part > 0 ? (today ? '' : 'fill-bar') : 'fill-line'}
                fill={today && part > 0 ? 'url(#so-far)' : undefined}
              />
            </g>
          )
        })}
      </svg>
      <figcaption className="mt-2 flex justify-between text-xs text-muted tabular-nums">
        <span>{days[0]?.date}</span>
        <span>{days.at(-1)?.date}, so far</span>
      </figcaption>
      <div className="sr-only">
        <table>
          <caption>Cost by day, UTC</caption>
          <tbody>
            {days.map((each) => (
              <tr key={each.date}>
                <th scope="row">{each.date}</th>
                <td>{usd(each.cost)} USD</td>
                <td>{counted(each.requests, 'request')}</td>
                <td>{each.failed} failed</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  )
}
