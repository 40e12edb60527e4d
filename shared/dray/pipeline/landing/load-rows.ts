import { mergeBlocks, mergeTarget } from '#dray/active-record/bulk.ts'
import type { OpenBlocks } from '#dray/block/block.ts'
import type { MergeResult } from '#dray/database/adapter.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { PlannedSchema } from '#dray/pipeline/plan/contract.ts'
import { writeVersions } from './history.ts'
import { loadKeepingSpellings } from './kept-spellings.ts'
import { type Landed, loadSome } from './left-alone.ts'
import { nextTable } from './next-table.ts'
import { writeTimeline } from './timeline.ts'

export interface RowsToLoad {
  /** The rows in the columns that a bulk write of the target names; from the start each time it is called. */
  readonly open: OpenBlocks
  /** False for some rows alone (a replay, a repair): a replace takes them into the table itself. */
  readonly isWholeRun: boolean
  /** The rows were read before this run, so the target may have what is newer. */
  readonly isReplay: boolean
  /** A row whose key the target holds in another spelling takes its place. */
  readonly respell?: boolean
  /** Of the plan. */
  readonly schema: PlannedSchema | undefined
  readonly signal: AbortSignal
}

/** Writes transformed rows in the way of the pipeline's load, in the open transaction of the target. */
export async function loadRows(pipeline: Pipeline, rows: RowsToLoad): Promise<Landed> {
  const { open, respell = false, schema, signal } = rows
  return loadSome(pipeline, open, (some) => loadSpelled(pipeline, { ...rows, open: some }), { respell, schema, signal })
}

async function loadSpelled(pipeline: Pipeline, rows: RowsToLoad): Promise<MergeResult> {
  const { open, isWholeRun, respell = false, signal } = rows
  const written = rows.schema?.forgotten ?? null
  if (written === null) return writeRows(pipeline, rows)
  // A full load meets each row of a key, and Commit compares them: a table from elsewhere is taken as it is.
  const knowsAll = pipeline.extract.cursor !== null || !isWholeRun
  const write = (left: OpenBlocks) => writeRows(pipeline, { ...rows, open: left })
  return loadKeepingSpellings(pipeline, { open, written, respell, knowsAll }, write, { signal })
}

function writeRows(pipeline: Pipeline, rows: RowsToLoad): Promise<MergeResult> {
  const { isWholeRun, respell = false, signal } = rows
  if (pipeline.load.history?.time === 'source')
    return writeTimeline(pipeline, rows.open, { isWholeRun, respell, signal })
  return pipeline.load.kind === 'history'
    ? writeVersions(pipeline, rows.open, { signal: rows.signal, respell: rows.respell ?? false })
    : mergeRows(pipeline, rows)
}

/**
 * A row that was marked as deleted and is in the source again begins anew, so its version does not keep the new row
 * back. They read after the Commit that has marked it, since one run follows another under the lease, and zombies are
 * refused by the fence. A replay has rows from before, which must not bring back what was deleted since; for it the
 * version of a marked row counts as any other, and so for runs of some rows, as far as a usual run compares keys.
 */
function mergeRows(pipeline: Pipeline, { open, isWholeRun, isReplay, respell = false, signal }: RowsToLoad) {
  const { kind, target, by, version } = pipeline.load
  const { deletes } = pipeline
  const isBack = !isReplay && (isWholeRun || deletes.saidBy === 'row')
  const mode = kind === 'append' || by.length === 0 ? 'insert' : 'upsert'
  const into = mergeTarget(target.definition, mode, {
    ...(by.length === 0 ? {} : { by }),
    version: version ?? undefined,
    mark: deletes.kind === 'soft' && isBack ? (deletes.field ?? undefined) : undefined,
  })
  const table = kind === 'replace' && isWholeRun ? nextTable(into.table) : into.table
  return mergeBlocks(target.database, { ...into, table, respell }, open, { signal })
}
