import type { OpenBlocks } from '#dray/block/block.ts'
import { bisect } from '#dray/database/merge/bisect.ts'
import type { HeldRows, HeldTable, MergeTarget } from '../../adapter.ts'
import { tried } from './attempt.ts'
import { narrowColumns } from './narrow-columns.ts'
import type { MergeSession } from './session.ts'
import { PLACE } from './spellings.ts'
import { MergeSql } from './sql.ts'
import { StagedRows } from './staged-rows.ts'
import { readTargetTable } from './target-table.ts'

/** Holds rows in columns of the table's types, which write the values as its own do. */
export async function holdRows(
  session: MergeSession,
  { table, columns }: HeldTable,
  open: OpenBlocks,
): Promise<HeldRows> {
  const target: MergeTarget = { table, columns, key: [], mode: 'insert' }
  const live = await readTargetTable(async (sql, values) => (await session.run(sql, values)).rows, target)
  const merging = { target, table: live, narrow: narrowColumns(live) }
  const copied = `pg_temp.${session.name('rows')}`
  const sql = new MergeSql(merging, copied)
  // Instants without an offset are UTC.
  await session.run("SET LOCAL TIME ZONE 'UTC'")
  const staged = new StagedRows(session, merging, sql, copied)
  await staged.stage(open)
  const select = `SELECT ${PLACE}, ${sql.selected} FROM ${staged.table}`
  const held = `pg_temp.${session.name('held')}`
  await session.run(`CREATE TEMPORARY TABLE ${held.replace('pg_temp.', '')} ON COMMIT DROP AS ${select} WITH NO DATA`)
  await bisect(
    staged.given - staged.copyRefused.length,
    async (from, to) => {
      const where = `${PLACE} >= ${from} AND ${PLACE} < ${to}`
      const insert = async () => void (await session.run(`INSERT INTO ${held} ${select} WHERE ${where}`))
      return (await tried(session, insert)) === null ? null : { error: null, at: null }
    },
    () => {},
  )
  return {
    table: held,
    place: PLACE,
    rowOf: (place) => staged.inputRows([Number(place)])[0] as number,
    release: async () => void (await session.run(`DROP TABLE ${staged.table}, ${held}`)),
  }
}
