import { TerminalError } from '#dray/errors.ts'
import type { MergeTarget } from '../../adapter.ts'
import { tableNameOf } from '../../table-name.ts'
import { literal } from '../bind-literals.ts'
import { type MysqlColumn, type MysqlTable, readTable } from '../describe.ts'
import { errorNumber } from '../translate.ts'
import { sameColumns } from './same-columns.ts'
import type { MergeSession } from './session.ts'

const ACCESS_DENIED = 1227
const WITHOUT_TRANSACTIONS = new Set(['MYISAM', 'ARIA', 'MEMORY', 'CSV', 'ARCHIVE', 'MRG_MYISAM', 'BLACKHOLE'])

export interface TargetTable extends MysqlTable {
  /** False where the table is sure to have no trigger: they are shown to those alone who may make some. */
  readonly mayHaveTriggers: boolean
  /** There is a trigger that may change rows that are inserted. */
  readonly hasInsertTrigger: boolean
  /** There is a trigger that may take back what an update changes. */
  readonly hasUpdateTrigger: boolean
}

/** The live table with what a merge has to know of it. Throws `Terminal` where rows cannot be merged into it. */
export async function readTargetTable(session: MergeSession, target: MergeTarget): Promise<TargetTable> {
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
  const triggers = await readTriggers(session, table)
  if (key.length === 0 && mode === 'insert') return { ...live, ...triggers }
  if (![live.primaryKey, ...live.uniqueKeys].some((columns) => sameColumns(columns, key))) {
    throw new TerminalError(
      `${table} has no primary or unique key on ${key.join(', ') || 'any column'}, so an upsert cannot find its rows. Add one.`,
    )
  }
  return { ...live, ...triggers }
}

async function readTriggers(
  session: MergeSession,
  table: string,
): Promise<Pick<TargetTable, 'mayHaveTriggers' | 'hasInsertTrigger' | 'hasUpdateTrigger'>> {
  const { schema, name } = placeOf(table)
  const granted = `privilege_type = 'TRIGGER' AND grantee = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')`
  const { rows } = await session.run(
    `SELECT COUNT(*), COALESCE(SUM(event_manipulation = 'INSERT'), 0), COALESCE(SUM(event_manipulation = 'UPDATE'), 0),
       EXISTS (SELECT 1 FROM information_schema.user_privileges WHERE ${granted})
       OR EXISTS (SELECT 1 FROM information_schema.schema_privileges WHERE ${granted} AND ${schema} LIKE table_schema)
       OR EXISTS (SELECT 1 FROM information_schema.table_privileges WHERE ${granted} AND table_schema = ${schema} AND table_name = ${name})
     FROM information_schema.triggers WHERE event_object_schema = ${schema} AND event_object_table = ${name}`,
  )
  const [all, inserting, updating, areShown] = (rows[0] ?? []).map(Number)
  return {
    mayHaveTriggers: areShown !== 1 || all !== 0,
    hasInsertTrigger: Number(inserting) > 0,
    hasUpdateTrigger: Number(updating) > 0,
  }
}

/** Whether rows may be deleted and inserted again without anybody's notice. */
export async function mayReinsert(
  session: MergeSession,
  { table, columns }: MergeTarget,
  live: TargetTable,
): Promise<boolean> {
  if (live.mayHaveTriggers) return false
  if (!live.columns.every(({ name, isGenerated }) => isGenerated || columns.includes(name))) return false
  const { schema, name } = placeOf(table)
  const foreign = session.facts.isMariaDB ? 'innodb_sys_foreign' : 'innodb_foreign'
  try {
    // Other names are written in another way there.
    const { rows } = await session.run(
      `SELECT COUNT(*) + (CONCAT(${schema}, ${name}) NOT REGEXP '^[0-9A-Za-z_]+$')
       FROM information_schema.${foreign} WHERE ref_name = CONCAT(${schema}, '/', ${name})`,
    )
    return rows[0]?.[0] === '0'
  } catch (error) {
    // Those who may not see foreign keys do not know what a delete would take along.
    if (errorNumber(error) === ACCESS_DENIED) return false
    throw error
  }
}

/** The columns that foreign keys of other tables refer to, and would take along. */
export async function referredColumns(session: MergeSession, { table }: MergeTarget): Promise<ReadonlySet<string>> {
  const { schema, name } = placeOf(table)
  const { rows } = await session.run(
    `SELECT referenced_column_name FROM information_schema.key_column_usage
     WHERE referenced_table_schema = ${schema} AND referenced_table_name = ${name}`,
  )
  return new Set(rows.map(([column]) => column as string))
}

/** Both names as SQL. */
function placeOf(table: string): { readonly schema: string; readonly name: string } {
  const { schema, name } = tableNameOf(table)
  return { schema: schema === null ? 'DATABASE()' : literal(schema), name: literal(name) }
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
