import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { SeenNumbers } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'
import { checkNullCursors } from './checked-cursor.ts'
import { noteOfIds } from './counter-window.ts'
import { isComputed, noteOfMissingIndex } from './cursor-index.ts'
import type { Draft } from './draft.ts'
import { endOfPart } from './first-load.ts'
import { lateKeys } from './late-rows.ts'
import { cut } from './partitions.ts'
import { sourceTable } from './source-table.ts'
import { notesOfNewerRows } from './waiting-rows.ts'
import { settledWindow, type Window, windowCondition } from './window.ts'

/** The window since `last_run`, or the whole table. */
export async function draftUsual(
  pipeline: Pipeline,
  { lastRun, seen = {} }: { readonly lastRun: string | null; readonly seen?: SeenNumbers | undefined },
  services: Services,
): Promise<Draft> {
  const { extract } = pipeline
  const { source, cursor } = extract
  return source.database.withConnection(async (connection, adapter) => {
    const table = await sourceTable(extract, connection, adapter)
    if (cursor === null) {
      const { rows, ranges } = await cut(extract, [], connection, table, services.signal)
      const notes = ranges.length === 1 ? [] : [movingKeys(pipeline, ranges.length)]
      return { window: null, rows, partitions: ranges, advances: true, notes }
    }
    const before = { lastRun, seen, signal: services.signal }
    const { settled, unsettled, unit, ...whole } = await settledWindow(extract, before, connection, table)
    const end = await endOfPart({ extraction: extract, connection, table }, whole, lastRun, unit)
    const part = end === null ? whole : { ...whole, hi: end }
    const came = cursor.lateRows
      ? await lateKeys(extract, { lo: part.lo, seen, signal: services.signal }, connection, table)
      : null
    const window = came === null ? part : { ...part, late: came.late }
    const isInParts = end === null && seen.isInParts === undefined ? {} : { isInParts: end !== null }
    const kept = { ...(came?.seen ?? (unsettled === undefined ? {} : { unsettled })), ...isInParts }
    const nulls = await checkNullCursors(pipeline.name, extract, connection, table)
    const { rows, ranges } = await cut(
      extract,
      [windowCondition(extract, window, table)],
      connection,
      table,
      services.signal,
    )
    const newer = await notesOfNewerRows(extract, whole, settled, connection, table)
    const index = isComputed(extract) ? await noteOfMissingIndex(extract, connection, table) : null
    const notes = [
      end === null ? null : partOf(pipeline, window, whole.hi, seen),
      end === null && seen.isInParts === true ? lastPart(pipeline) : null,
      window.note,
      nulls,
      came?.note ?? null,
      ...newer,
      index,
      noteOfIds(extract, pipeline.load.kind),
    ].filter((note) => note !== null)
    return {
      window,
      rows,
      // Whoever could still write into the window has ended, or the lag allows for it: what is empty stays empty.
      partitions: rows === 0 ? [] : ranges,
      advances: true,
      notes,
      seen: kept,
      ...(end === null ? {} : { follows: true as const }),
    }
  })
}

function partOf({ name }: Pipeline, { lo, hi }: Window, whole: string, { isInParts }: SeenNumbers): string {
  const from = lo === null ? 'the beginning' : lo
  const behind = isInParts ? '' : `; steps behind ${name} in its workflow run with this part alone`
  return `this run reads a part, from ${from} to ${hi}; what is left up to ${whole} is read by the runs that follow it, of which the next one starts when this one has ended (firstLoad of ${name})${behind}`
}

/** Runs of parts are of the pipeline alone. */
function lastPart({ name }: Pipeline): string {
  return `this run reads the last part (firstLoad of ${name}): steps behind ${name} in its workflow have run with the first part alone, so run the workflow once more when this run has ended: \`npx dray run <workflow>\``
}

/**
 * Each partition is read in a session and a snapshot to itself; an exported snapshot would need one that stays open.
 */
function movingKeys({ extract }: Pipeline, partitions: number): string {
  const { database, table } = extract.source.definition
  return `${database}.${table} is read in ${partitions} snapshots, one for each partition: a row whose key changes meanwhile may be in none or in two of them until the next run; where keys change, raise partitionRows so that there is one`
}
