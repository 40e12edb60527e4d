import type { CheckedRows } from '#dray/messages/check-result.ts'
import type { Check } from '#dray/pipeline/declare/checks.ts'
import { knowsItsRows } from '#dray/pipeline/declare/declared-checks.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Plan } from '#dray/pipeline/plan/staged-plan.ts'

/** The keys of more rows take longer to bring into the target than it takes to read a table that a run can load. */
const MOST_KEYS = 100_000

type Planned = Pick<Plan, 'advances' | 'window' | 'rows' | 'partitions'>

/** The rows that a check is asked of in a run, known when the run is planned. */
export function scopeOf(check: Check, { load }: Pick<Pipeline, 'load'>, planned: Planned): CheckedRows {
  if (check.expects.kind === 'freshness') return 'source'
  if (check.expects.kind === 'noRows' || check.expects.kind === 'rowCount') return 'table'
  // The keys of rows that the quarantine has kept are not staged.
  const hasKeys = knowsItsRows(load) && planned.partitions.every(({ kept }) => kept === undefined)
  if (!hasKeys || check.scope === 'table') return 'table'
  if (check.scope === 'run') return 'run'
  const isPart = !planned.advances || (planned.window !== null && planned.window.lo !== null)
  return isPart && planned.rows <= MOST_KEYS ? 'run' : 'table'
}

/** Whether a Load has to keep the keys of its rows for the checks of Commit. */
export function asksRowsOfRun(pipeline: Pick<Pipeline, 'load' | 'checks'>, planned: Planned): boolean {
  return pipeline.checks.some((check) => scopeOf(check, pipeline, planned) === 'run')
}
