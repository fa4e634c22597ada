// Small things that many screens show.

import { Check, Copy } from 'lucide-react'
import { type ReactNode, useEffect, useState } from 'react'
import { usd } from '../money'
import { distance, utc } from '../time'
import { Button, IconButton } from './button'
import { cx } from './class'

type Tone = 'good' | 'warn' | 'bad' | 'plain'

const TONES: Record<Tone, string> = {
  good: 'bg-good-soft text-good',
  warn: 'bg-warn-soft text-warn',
  bad: 'bg-bad-soft text-bad',
  plain: 'bg-raised text-muted',
}

export function Badge({ tone = 'plain', children }: { tone?: Tone; children: ReactNode }) {
  return (
    <span
      className={cx(
        'inline-flex h-5 items-center rounded px-1.5 text-xs font-medium whitespace-nowrap',
        TONES[tone],
      )}
    >
      {children}
    </span>
  )
}

/** An amount of USD, exact. */
export function Usd({ value, unit = false }: { value: string | null | undefined; unit?: boolean }) {
  if (value === null || value === undefined) return <span className="text-muted">–</span>
  return (
    <span className="tabular-nums">
      {usd(value)}
      {unit && <span className="text-muted"> USD</span>}
    </span>
  )
}

/** How long ago; the moment itself when it is pointed at. */
export function Ago({ at, never = 'never' }: { at: string | null | undefined; never?: string }) {
  if (!at) return <span className="text-muted">{never}</span>
  return (
    <time dateTime={at} title={`${utc(at)} UTC`} className="whitespace-nowrap">
      {distance(at)}
    </time>
  )
}

export function Mono({ children }: { children: ReactNode }) {
  return <span className="font-mono text-xs break-all">{children}</span>
}

/** Text that somebody typed: it may be long, and of either direction. */
export function Named({ children }: { children: string }) {
  return (
    <bdi title={children} className="block max-w-60 truncate">
      {children}
    </bdi>
  )
}

function useCopied(): [boolean, (text: string) => void] {
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = window.setTimeout(() => setCopied(false), 1500)
    return () => window.clearTimeout(timer)
  }, [copied])
  return [
    copied,
    async (text) => {
      await navigator.clipboard.writeText(text)
      setCopied(true)
    },
  ]
}

export function CopyIcon({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [copied, copy] = useCopied()
  return (
    <IconButton label={copied ? 'Copied' : label} onClick={() => copy(text)} className="size-6">
      {copied ? <Check className="text-good" /> : <Copy />}
    </IconButton>
  )
}

export function CopyButton({ text }: { text: string }) {
  const [copied, copy] = useCopied()
  return (
    <Button onClick={() => copy(text)}>
      {copied ? <Check /> : <Copy />}
      {copied ? 'Copied' : 'Copy'}
    </Button>
  )
}

/** A value to be copied, in a box of its own. */
export function Code({ text, label }: { text: string; label: string }) {
  return (
    <div className="flex items-start gap-2 rounded-md border border-line bg-canvas p-2 pl-3">
      <output
        aria-label={label}
        className="block min-w-0 grow py-0.5 font-mono text-xs break-all whitespace-pre-wrap"
      >
        {text}
      </output>
      <CopyIcon text={text} label={`Copy ${label.toLowerCase()}`} />
    </div>
  )
}

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
