import { TerminalError } from '#dray/errors.ts'
import type { MergeTarget } from '../../adapter.ts'
import { type MysqlColumn, type MysqlTable, readTable } from '../describe.ts'
import type { MergeSession } from './session.ts'
import { sameColumns } from './sql.ts'

const WITHOUT_TRANSACTIONS = new Set(['MYISAM', 'ARIA', 'MEMORY', 'CSV', 'ARCHIVE', 'MRG_MYISAM', 'BLACKHOLE'])

/** The live table with what a merge has to know of it. Throws `Terminal` where rows cannot be merged into it. */
export async function readTargetTable(session: MergeSession, target: MergeTarget): Promise<MysqlTable> {
  const { table, key, mode } = target
  const live = await readTable((sql) => session.run(sql), table, session.facts.isMariaDB)
  if (live === null) {
    throw new TerminalError(
      `There is no table ${table}, so no row was written. Create it, or correct its name in the model.`,
    )
  }
  if (WITHOUT_TRANSACTIONS.has((live.engine ?? '').toUpperCase())) {
    throw new TerminalError(
      `${table} is stored by ${live.engine}, which has no transactions, so half a load could stay. Change it: ALTER TABLE … ENGINE=InnoDB.`,
    )
  }
  if (key.length === 0 && mode === 'insert') return live
  if (![live.primaryKey, ...live.uniqueKeys].some((columns) => sameColumns(columns, key))) {
    throw new TerminalError(
      `${table} has no primary or unique key on ${key.join(', ') || 'any column'}, so an upsert cannot find its rows. Add one.`,
    )
  }
  return live
}

/** A column of the live table. Throws `Terminal` when there is none of this name. */
export function columnOf(live: MysqlTable, { table }: MergeTarget, name: string): MysqlColumn {
  const column = live.columns.find((candidate) => candidate.name === name)
  if (column !== undefined) return column
  const names = live.columns.map((candidate) => candidate.name).join(', ')
  throw new TerminalError(
    `${table} has no column ${name} (it has ${names}), so no row was written. Add it, or correct the model.`,
  )
}
