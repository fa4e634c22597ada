import { useQuery } from '@tanstack/react-query'
import { Circle, CircleCheck } from 'lucide-react'
import type { ReactNode } from 'react'
import { get } from '../api/client'
import type { System } from '../api/shapes'
import { Button } from '../ui/button'
import { Loaded } from '../ui/states'
import { Gate } from './gate'

function Line({ on, title, children }: { on: boolean; title: string; children: ReactNode }) {
  const Icon = on ? CircleCheck : Circle
  return (
    <li className="flex gap-3 py-3">
      <Icon
        aria-hidden="true"
        className={`mt-0.5 size-4 shrink-0 ${on ? 'text-good' : 'text-muted'}`}
      />
      <div className="min-w-0">
        <p className="font-medium">{title}</p>
        <div className="text-muted">{children}</div>
      </div>
    </li>
  )
}

/** What the gateway found of its configuration, and the line that would change each. */
export function Found({ onNext }: { onNext: () => void }) {
  const system = useQuery({
    queryKey: ['admin', 'system'],
    queryFn: () => get<System>('/admin/system'),
  })
  return (
    <Gate wide title="What was found" note="Each can be changed later, in seekroute.yaml.">
      <Loaded query={system} rows={5}>
        {({ providers, mock, ledger, config, public_url }) => {
          const ready = providers.filter((each) => each.has_key)
          return (
            <ul className="divide-y divide-line border-y border-line">
              <Line on={ready.length > 0} title="Providers">
                {ready.length > 0 ? (
                  ready.map((each) => each.shown_name).join(', ')
                ) : (
                  <>
                    No key of a provider. Set one and restart, such as{' '}
                    <code className="font-mono text-xs">export OPENAI_API_KEY=…</code>
                  </>
                )}
              </Line>
              <Line on={mock} title="Mock provider">
                {mock ? 'Answers for every model, without cost to you.' : 'Off.'}
              </Line>
              <Line on={ledger} title="Credits and logs">
                {ledger ? 'Every request is booked in the ledger.' : 'Off: nothing is booked.'}
              </Line>
              <Line on={public_url !== ''} title="Public address">
                {public_url || (
                  <>
                    This machine alone. For others, put TLS in front and set{' '}
                    <code className="font-mono text-xs">console.public_url</code>
                  </>
                )}
              </Line>
              <Line on={config !== ''} title="Configuration">
                {config || 'No file: all is as it comes.'}
              </Line>
            </ul>
          )
        }}
      </Loaded>
      <div className="mt-6 flex justify-end">
        <Button kind="primary" onClick={onNext} className="h-9">
          Continue
        </Button>
      </div>
    </Gate>
  )
}
