// Light or dark: as the system says, until a person has chosen. The choice stays in this browser.

import { useSyncExternalStore } from 'react'

export type Theme = 'system' | 'light' | 'dark'

const NAME = 'seekroute.theme'
const dark = window.matchMedia('(prefers-color-scheme: dark)')
const listeners = new Set<() => void>()
let theme: Theme = stored()

function stored(): Theme {
  const value = window.localStorage.getItem(NAME)
  return value === 'light' || value === 'dark' ? value : 'system'
}

function paint(): void {
  const shown = theme === 'system' ? (dark.matches ? 'dark' : 'light') : theme
  document.documentElement.dataset.theme = shown
}

/** Called once, before anything is drawn. */
export function startTheme(): void {
  paint()
  dark.addEventListener('change', paint)
}

export function setTheme(value: Theme): void {
  theme = value
  if (value === 'system') window.localStorage.removeItem(NAME)
  else window.localStorage.setItem(NAME, value)
  paint()
  for (const each of listeners) each()
}

export function useTheme(): Theme {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => theme,
  )
}
