import type { OpenBlocks } from '#dray/block/block.ts'
import { pickLines } from '#dray/block/block-lines.ts'
import { landRows } from '#dray/database/merge/landing.ts'
import type { StandIns } from '#dray/database/merge/stand-ins.ts'
import type { MergeResult, RejectedRow } from '../../adapter.ts'
import type { Merging } from './merging.ts'
import { StagedRows } from './staged-rows.ts'
import type { Faults } from './staging-table.ts'
import { StagedWriter } from './write-rows.ts'

/**
 * Merges rows of any kind by way of the staging table, where duplicates go and rows that the target would refuse or
 * change are taken out. Says of rows that the target refused which others could stand in for them.
 */
export async function mergeStaged(
  merging: Merging,
  open: OpenBlocks,
): Promise<{ readonly result: MergeResult; readonly standIns: StandIns }> {
  const staged = new StagedRows(merging)
  await staged.stage(open)
  const places = staged.places
  const writer = new StagedWriter(merging, places)
  const refused = await landRows(writer, places)
  const rejected = await rejectedRows(open, new Map([...staged.faults, ...refused]))
  return {
    result: { ...writer.written, duplicate: staged.duplicate, rejected },
    standIns: staged.standIns(refused.keys()),
  }
}

/** Reads the input again for the lines of the rows that were refused. */
async function rejectedRows(open: OpenBlocks, faults: Faults): Promise<RejectedRow[]> {
  const found = [...faults].sort(([one], [other]) => one - other)
  const rows = found.map(([row]) => row)
  const lines = rows.length === 0 ? [] : await pickLines(open(), rows)
  return found.map(([row, { code, column, message }], index) => ({
    row,
    line: lines[index] ?? '',
    code,
    column,
    message,
  }))
}
