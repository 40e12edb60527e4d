import type { OpenBlocks } from '#dray/block/block.ts'
import type { HeldRows, HeldTable, MergeTarget } from '../../adapter.ts'
import { keyCollations } from './hold-keys.ts'
import type { MergeSession } from './session.ts'
import { MergeSql, ORDINAL } from './sql.ts'
import { StagedRows } from './staged-rows.ts'
import { readTargetTable } from './target-table.ts'

const HELD = 'dray_held_rows'

/** Holds rows in columns of the table's affinities, which write the values as its own do. */
export async function holdRows(
  session: MergeSession,
  { table, columns, key = [] }: HeldTable,
  open: OpenBlocks,
): Promise<HeldRows> {
  const target: MergeTarget = { table, columns, key: [], mode: 'insert' }
  const { live } = readTargetTable(session, target)
  const sql = new MergeSql(target, live, null, HELD, keyCollations(session, { table, key }, live))
  await new StagedRows({ session, target, live, key: null, sql }).stage(open)
  return {
    table: `temp.${HELD}`,
    place: ORDINAL,
    rowOf: Number,
    release: async () => session.database.exec(sql.dropTable()),
  }
}
