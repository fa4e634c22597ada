import { Check, Copy } from 'lucide-react'
import { useEffect, useState } from 'react'
import { IconButton } from './button'

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
