import { TerminalError } from '#dray/errors.ts'
import type { AnyModel } from '#dray/pipeline/declare/any-model.ts'
import { checkComparable } from '#dray/pipeline/declare/comparable.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { isKeyDeclaredAlone } from '#dray/pipeline/plan/declared-key.ts'
import { newColumns } from '#dray/pipeline/plan/new-columns.ts'
import { openSourceKeys } from '#dray/pipeline/quarantine/open-keys.ts'
import { withColumns } from '#dray/pipeline/rows/followed-columns.ts'
import type { PipelineState } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'
import { RowComparison } from './compare-rows.ts'
import type { ComparisonState, ReconcileOptions, Reconciliation } from './reconciliation.ts'
import { type ComparisonPart, leaseNotes, Reconciling, readBefore } from './reconciling.ts'

/**
 * Compares the source, sent through the transform of now, with the target: counts, then key ranges, then rows. Reads
 * only. Left out are rows that the next window is going to read, and rows that wait in the quarantine and are not in
 * the target. Throws `Configuration` for a source without a primary key.
 */
export async function reconcile(
  declared: Pipeline,
  services: Services,
  options: ReconcileOptions = {},
): Promise<Reconciliation> {
  const { found } = await reconcileOnward(declared, services, options, { at: null, timeLeft: () => Infinity })
  return found
}

/** Goes on with a comparison as long as there is time; `at` is null once all has been compared. */
export async function reconcileOnward(
  declared: Pipeline,
  services: Services,
  options: ReconcileOptions,
  part: ComparisonPart,
): Promise<{ readonly at: ComparisonState | null; readonly found: Reconciliation }> {
  checkComparable(declared)
  const { columns } = await newColumns(declared)
  const pipeline = withColumns(declared, columns)
  const known = await services.state.pipeline(pipeline.name)
  const { keys, notes } = await openSourceKeys(pipeline, services)
  const state = part.at ?? (await beginningOf(pipeline, known, notes))
  const comparison = await RowComparison.of(pipeline, state.ofTheRun)
  const work = new Reconciling(pipeline, comparison, services, { ...options, ...part, state, quarantined: keys })
  const isDone = await work.run()
  return { at: isDone ? null : work.state, found: work.found }
}

async function beginningOf(
  pipeline: Pipeline,
  known: PipelineState | null,
  notes: readonly string[],
): Promise<ComparisonState> {
  const { definition } = pipeline.extract.source
  const live = await tableOf(pipeline, pipeline.extract.source)
  await tableOf(pipeline, pipeline.load.target)
  const before = readBefore(known)
  const isUnread = pipeline.extract.cursor !== null && before.lastRun === null
  return {
    phase: 'rows',
    from: null,
    before,
    notes: [
      ...(isUnread ? ['the pipeline has no last_run, so every source row is left to its next run'] : []),
      ...leaseNotes(known),
      ...notes,
    ],
    differences: [],
    counts: { missing: 0, extra: 0, different: 0 },
    leftOut: { filtered: 0, deleted: 0, quarantined: 0, pending: 0 },
    ...{ sourceRows: 0, targetRows: 0, ranges: 0, equal: 0, compared: 0 },
    ...{ staleFiltered: 0, waiting: 0, extraInRanges: 0 },
    hasOtherKeys: isKeyDeclaredAlone(definition, live),
    keepsKey: pipeline.deletes.key.length === pipeline.deletes.by.length,
    differing: [],
    ofTheRun: [],
    newest: [],
  }
}

/** Throws `Terminal` for a table that is not there. */
async function tableOf({ name }: Pipeline, { database, definition }: AnyModel) {
  const live = await database.withConnection((connection) => connection.describe(definition.table))
  if (live !== null) return live
  throw new TerminalError(
    `${name}: there is no ${definition.database}.${definition.table}, so nothing was compared; run the pipeline first (\`dray run ${name}\`), or correct the model`,
  )
}
