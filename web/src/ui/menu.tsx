import { Menu as Base } from '@base-ui/react/menu'
import type { ReactElement, ReactNode } from 'react'
import { cx } from './class'

interface Props {
  trigger: ReactElement
  children: ReactNode
  align?: 'start' | 'end'
  side?: 'top' | 'bottom'
}

export function Menu({ trigger, children, align = 'end', side = 'bottom' }: Props) {
  return (
    <Base.Root>
      <Base.Trigger render={trigger} />
      <Base.Portal>
        <Base.Positioner align={align} side={side} sideOffset={6} className="z-50">
          <Base.Popup className="fade max-h-[70vh] max-w-80 min-w-44 overflow-y-auto rounded-lg border border-line bg-surface p-1 shadow-pop outline-none">
            {children}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  )
}

interface ItemProps {
  children: ReactNode
  onSelect: () => void
  icon?: ReactNode
  danger?: boolean
  marked?: boolean
}

export function MenuItem({ children, onSelect, icon, danger, marked }: ItemProps) {
  return (
    <Base.Item
      onClick={onSelect}
      aria-current={marked || undefined}
      className={cx(
        'flex h-8 cursor-pointer items-center gap-2 rounded-md px-2 outline-none data-highlighted:bg-raised [&_svg]:size-4 [&_svg]:shrink-0',
        danger ? 'text-bad' : 'text-text [&_svg]:text-muted',
        marked && 'font-medium',
      )}
    >
      {icon}
      <span className="min-w-0 truncate">{children}</span>
    </Base.Item>
  )
}

export function MenuLine() {
  return <Base.Separator className="my-1 h-px bg-line" />
}
