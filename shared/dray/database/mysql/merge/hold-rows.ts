import type { OpenBlocks } from '#dray/block/block.ts'
import { bisect } from '#dray/database/merge/bisect.ts'
import type { HeldRows, HeldTable, MergeTarget } from '../../adapter.ts'
import { tableNameOf } from '../../table-name.ts'
import { quote, quoteTable } from '../names.ts'
import { refusalOf } from './load-inserts.ts'
import type { MergeSession } from './session.ts'
import { MergeSql } from './sql.ts'
import { stagedColumnOf } from './staged-columns.ts'
import { StagedRows } from './staged-rows.ts'
import { StagingTable } from './staging-table.ts'
import { columnOf, readTargetTable } from './target-table.ts'

/** Holds rows in columns of the table's types, which write the values as its own do. */
export async function holdRows(
  session: MergeSession,
  { table, columns }: HeldTable,
  open: OpenBlocks,
): Promise<HeldRows> {
  const target: MergeTarget = { table, columns, key: [], mode: 'insert' }
  const live = await readTargetTable(session, target)
  const types = columns.map((name) => stagedColumnOf(columnOf(live, target, name), table, session.facts.isMariaDB))
  const staging = new StagingTable(session, tableNameOf(table), types)
  const staged = new StagedRows({ session, target, live, staging, sql: new MergeSql(target, live, staging) })
  await staged.stage(open)
  const { schema } = tableNameOf(table)
  const held = `${schema === null ? '' : `${quote(schema)}.`}${quote('dray_held_rows')}`
  const names = columns.map(quote).join(', ')
  await session.run(`DROP TEMPORARY TABLE IF EXISTS ${held}`)
  await session.run(
    `CREATE TEMPORARY TABLE ${held} (${staging.ordinal} bigint NOT NULL DEFAULT 0 PRIMARY KEY) ENGINE=InnoDB SELECT ${names} FROM ${quoteTable(table)} LIMIT 0`,
  )
  const insert = `INSERT INTO ${held} (${staging.ordinal}, ${names}) SELECT ${staging.ordinal}, ${names} FROM ${staging.table}`
  await bisect(
    staged.given,
    async (from, to) => {
      const refusal = await refusalOf(session, `${insert} WHERE ${staging.range(from, to)}`)
      return refusal === null ? null : { error: refusal, at: null }
    },
    () => {},
  )
  await staging.drop()
  return {
    table: held,
    place: staging.ordinal,
    rowOf: (place) => staging.rowOf(place),
    release: async () => void (await session.run(`DROP TEMPORARY TABLE ${held}`)),
  }
}
