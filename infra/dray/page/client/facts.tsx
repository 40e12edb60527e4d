import type { PipelineStateDocument, UnitDocument } from '../documents.ts'
import { duration, Text } from './words.tsx'

/** Seconds from `last_run` until now; null where it is no point in time. */
export function lagOf(lastRun: string | null | undefined, now: number): number | null {
  if (lastRun == null || !/^\d{4}-\d\d-\d\d[ T]\d\d:\d\d/.test(lastRun)) return null
  return Math.max(0, (now - Date.parse(`${lastRun.slice(0, 23).replace(' ', 'T')}Z`)) / 1000)
}

/** What a pipeline declares, and how far it is. */
export function Facts({
  unit,
  state,
  now,
}: {
  readonly unit: UnitDocument
  readonly state: PipelineStateDocument | null
  /** Null while what has run is not known. */
  readonly now: number | null
}) {
  const lag = now === null ? null : lagOf(state?.lastRun, now)
  const facts: readonly (readonly [string, string | null])[] = [
    ['reads', [unit.reads.join(', '), unit.extract].filter(Boolean).join(': ') || null],
    ['writes', [unit.writes.join(', '), unit.load].filter(Boolean).join(': ') || null],
    ['last_run', state?.lastRun ?? (unit.isWindowed && now !== null ? 'never: the next run reads all rows' : null)],
    ['lag', lag === null ? null : duration(lag)],
    ['next window', unit.isWindowed && now !== null ? `from ${state?.lastRun ?? 'the beginning'}` : null],
    ['lease', state === null ? null : (state.leaseOwner ?? 'free') + (state.isPending ? ', another run waits' : '')],
    ['contract', unit.contract],
    ['deletes', unit.deletes],
    ['owner', unit.owner],
    ['tests', [...unit.tests, ...unit.fixtures].join(', ') || null],
  ]
  if (unit.checks.length === 0 && facts.every(([, said]) => said === null)) return null
  return (
    <div class="panel">
      <dl class="facts">
        {facts.flatMap(([term, said]) =>
          said === null
            ? []
            : [
                <div key={term}>
                  <dt>{term}</dt>
                  <dd>
                    <Text of={said} />
                  </dd>
                </div>,
              ],
        )}
      </dl>
      {unit.checks.length > 0 && (
        <>
          <h2 class="inner">Checks</h2>
          <ul class="notes">
            {unit.checks.map(({ name, table, severity }) => (
              <li key={`${table} ${name}`}>
                <Text of={name} />{' '}
                <span class="muted">
                  of {table}
                  {severity === 'warn' && ', warns'}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  )
}
