import { useState } from 'preact/hooks'
import { Fault } from './parts.tsx'
import { useAsked } from './server.ts'
import { Lines, plural } from './words.tsx'

type Entry = Readonly<Record<string, unknown>>

/** Fields that the line shows otherwise, or that say nothing to a person. */
const SHOWN = new Set(
  'level message timestamp service run workflow pipeline step partition stack sampling_rate xray_trace_id request_id'.split(
    ' ',
  ),
)

/** What was logged of a step, the latest last; of the whole run without one. */
export function LogLines({
  run,
  step,
  partition,
  most,
}: {
  readonly run: string
  readonly step: string | null
  readonly partition: number | null
  readonly most: number
}) {
  const [isWhole, setWhole] = useState(false)
  const query = new URLSearchParams({
    ...(step === null ? {} : { step }),
    ...(partition === null ? {} : { partition: `${partition}` }),
  })
  const { data, error } = useAsked<{ readonly entries: readonly Entry[]; readonly left: number }>(
    `/api/runs/${encodeURIComponent(run)}/log?${query}`,
    ['state'],
  )
  const entries = data?.entries ?? []
  const shown = isWhole ? entries : entries.slice(-most)
  const left = entries.length - shown.length
  return (
    <div class="log">
      <Fault of={error} />
      {left > 0 && (
        <button type="button" class="quiet" onClick={() => setWhole(true)}>
          {plural(left, 'earlier line')}
        </button>
      )}
      {isWhole && (data?.left ?? 0) > 0 && (
        <p class="muted">
          {plural(data?.left ?? 0, 'line')} before these: `dray runs logs {run}`
        </p>
      )}
      {data !== null && error === null && entries.length === 0 && (
        <p class="muted">Nothing was logged of it, or its log has expired.</p>
      )}
      {shown.length > 0 && (
        <pre tabIndex={0} aria-label={`Log of ${step ?? 'the run'}`} role="region">
          {shown.map((entry, place) => (
            <Line key={`${entry.timestamp} ${place}`} entry={entry} hasStack={isWhole} />
          ))}
        </pre>
      )}
    </div>
  )
}

function Line({ entry, hasStack }: { readonly entry: Entry; readonly hasStack: boolean }) {
  const { level, timestamp, message, step, partition, stack } = entry
  const where = [step, typeof partition === 'number' ? partition + 1 : undefined]
    .filter((part) => part != null)
    .join(' ')
  const details = Object.entries(entry)
    .filter(([name]) => !SHOWN.has(name))
    .map(([name, value]) => `${name}=${text(value)}`)
  const trace = hasStack && typeof stack === 'string' ? `\n${stack}` : ''
  return (
    <span class={`entry ${String(level ?? '').toLowerCase()}`}>
      <span class="muted">{String(timestamp ?? '').slice(11, 23)}</span>{' '}
      <Lines of={`${where}${where === '' ? '' : ': '}${text(message)} ${details.join(' ')}${trace}`} />
      {'\n'}
    </span>
  )
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}
