import { draftBackfill } from './backfill.ts'
import { draftKeys } from './keys.ts'
import { cut, type Partition } from './partitions.ts'
import type { Pipeline } from './pipeline.ts'
import { draftReplay, type Replayed } from './replay.ts'
import type { RunMode } from './run-mode.ts'
import type { Services } from './services.ts'
import { checkNullCursors, settledWindow, type Window, windowCondition } from './window.ts'

/** What a run is going to read; a plan, once it is tied to a lease and staged. */
export interface Draft {
  readonly window: Window | null
  /** Rows when the plan was made. */
  readonly rows: number
  readonly partitions: readonly Partition[]
  /** Whether Commit moves `last_run` to the end of the window. */
  readonly advances: boolean
  /** Sentences for a person. */
  readonly notes: readonly string[]
  readonly replayed?: Replayed
}

/** Works out what a run in this mode reads, and changes nothing but staging. */
export function draft(
  pipeline: Pipeline,
  mode: Exclude<RunMode, { readonly resume: string }> | null,
  run: { readonly id: string; readonly lastRun: string | null },
  services: Services,
): Promise<Draft> {
  if (mode === null) return draftUsual(pipeline, run.lastRun, services)
  if ('backfill' in mode) return draftBackfill(pipeline, mode.backfill, services)
  if ('keys' in mode) return draftKeys(pipeline, mode.keys, services)
  return draftReplay(pipeline, mode.replay, run.id, services)
}

/** The window since `last_run`, or the whole table. */
async function draftUsual(pipeline: Pipeline, lastRun: string | null, services: Services): Promise<Draft> {
  const { extract } = pipeline
  const { source, cursor } = extract
  return source.database.withConnection(async (connection, adapter) => {
    const window = cursor === null ? null : await settledWindow(extract, lastRun, connection, adapter)
    const nulls = window === null ? null : await checkNullCursors(pipeline.name, extract, connection, adapter)
    const conditions = window === null ? [] : [windowCondition(extract, window, adapter)]
    const { rows, ranges } = await cut(extract, conditions, connection, adapter, services.signal)
    const notes = [window?.note ?? null, nulls].filter((note) => note !== null)
    return { window, rows, partitions: ranges, advances: true, notes }
  })
}
