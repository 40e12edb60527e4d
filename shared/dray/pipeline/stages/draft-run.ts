import type { ReadingMode } from '#dray/messages/run-mode.ts'
import { prepareChecks } from '#dray/pipeline/checks/prepare-checks.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { lookForTwins } from '#dray/pipeline/landing/foreseen-twins.ts'
import { readMark } from '#dray/pipeline/landing/mark.ts'
import { partlyLanded } from '#dray/pipeline/landing/resume.ts'
import { draftBackfill } from '#dray/pipeline/plan/backfill.ts'
import type { Draft } from '#dray/pipeline/plan/draft.ts'
import { draftKeys } from '#dray/pipeline/plan/keys.ts'
import { checkOwnSql } from '#dray/pipeline/plan/own-sql.ts'
import { checkSource } from '#dray/pipeline/plan/source-identity.ts'
import { fromTheBeginning, type StartingPoint, startingPoint } from '#dray/pipeline/plan/starting-point.ts'
import type { OtherTable } from '#dray/pipeline/plan/table-identity.ts'
import { draftUsual } from '#dray/pipeline/plan/usual-run.ts'
import { draftReplay } from '#dray/pipeline/quarantine/replay.ts'
import type { PipelineState, SeenNumbers } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'

/** Works out what a run in this mode reads, and changes nothing but staging. */
export async function draftRun(
  pipeline: Pipeline,
  mode: ReadingMode | null,
  run: { readonly id: string; readonly lastRun: string | null; readonly seen?: SeenNumbers | null },
  services: Services,
): Promise<Draft> {
  await checkOwnSql(pipeline.extract)
  await prepareChecks(pipeline.name, pipeline.checks, pipeline.load.target)
  if (mode === null) {
    const drafted = await draftUsual(pipeline, { lastRun: run.lastRun, seen: run.seen ?? {} }, services)
    return withNotes(drafted, await lookForTwins(pipeline, drafted.window, services))
  }
  if ('backfill' in mode) {
    const drafted = await draftBackfill(pipeline, mode.backfill, services)
    return withNotes(drafted, await lookForTwins(pipeline, drafted.window, services))
  }
  if ('keys' in mode) return draftKeys(pipeline, mode.keys, services)
  return draftReplay(pipeline, mode.replay, run.id, services)
}

function withNotes(drafted: Draft, more: readonly string[]): Draft {
  return { ...drafted, notes: [...drafted.notes, ...more] }
}

/**
 * Throws `Terminal` for an append to a target, or of a table, that `last_run` is not of. `otherTable` says how the
 * source's is another one.
 */
export async function whereToStart(
  pipeline: Pipeline,
  lastRun: string | null,
  mark: string | null,
  { otherTable, services }: { readonly otherTable: OtherTable | null; readonly services: Services },
): Promise<StartingPoint> {
  if (otherTable !== null && lastRun !== null) return fromTheBeginning(pipeline, lastRun, otherTable)
  // Without a mark nothing has landed in the table, whatever runs have landed in another one.
  const isOther = pipeline.load.kind === 'append' && lastRun !== mark && mark !== null
  const partly = isOther ? await partlyLanded(pipeline, mark, services) : null
  return startingPoint(pipeline, lastRun, mark, partly)
}

/**
 * From where on a run that began now would read, as Plan finds it out, and what it would say. Throws `Terminal` for a
 * source or a target that it would refuse.
 */
export async function startOfRun(
  pipeline: Pipeline,
  mode: ReadingMode | null,
  known: Pick<PipelineState, 'lastRun' | 'commitEpoch' | 'source'> | null,
  services: Services,
): Promise<{ readonly from: string | null; readonly seen: SeenNumbers | null; readonly notes: readonly string[] }> {
  const state = known ?? { lastRun: null, commitEpoch: 0, source: null }
  const read = await checkSource(pipeline, state.lastRun, state.source)
  const isUsual = mode === null && pipeline.extract.cursor !== null
  const mark = isUsual ? await readMark(pipeline, state) : state.lastRun
  const otherTable = mode === null ? read.otherTable : null
  const start = await whereToStart(pipeline, state.lastRun, mark, { otherTable, services })
  return {
    from: start.from,
    seen: otherTable === null ? state.source : null,
    notes: [read.note, start.note].filter((note) => note !== null),
  }
}
