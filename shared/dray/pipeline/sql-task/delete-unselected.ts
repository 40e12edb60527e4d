import { type RawBuilder, sql } from 'kysely'
import { boundValue, columnName, tableName } from '#dray/active-record/sql.ts'
import type { Adapter, Connection, QueryOptions } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { DataQualityError, TerminalError } from '#dray/errors.ts'
import { BORNE_DELETES } from '#dray/pipeline/declare/deletes-option.ts'
import type { SqlWork } from '#dray/pipeline/declare/sql-task.ts'
import type { SelectedRows } from './selected-rows.ts'

type Sql = RawBuilder<unknown>

/**
 * Deletes, or marks, the rows of the table that the SELECT has no more, in the open transaction and behind the merge;
 * says how many. The table itself judges which keys are the same. Throws `DataQuality` when they are more than it may
 * lose.
 */
export async function deleteUnselected(
  { name, work, selected, at }: { name: string; work: SqlWork; selected: SelectedRows; at: string },
  connection: Connection,
  adapter: Adapter,
  options: QueryOptions,
): Promise<number> {
  const { into, by, deletes } = work
  if (deletes.kind === 'ignore') return 0
  const { definition } = into
  const query = (statement: Sql) => {
    const { sql: text, parameters } = compile(adapter, statement)
    return connection.query(text, parameters, options)
  }
  const held = { table: definition.table, key: by.map(({ column }) => column) }
  const { isHeld } = await connection.holdSelected(held, selected.table, options)
  const isGone = sql.join([...isLive(work), sql`not (${sql.raw(isHeld)})`], sql` and `)
  const live = isLive(work)
  const whole = live.length === 0 ? sql`` : sql` where ${sql.join(live, sql` and `)}`
  const count = async (where: Sql) =>
    Number((await query(sql`select count(*) from ${tableName(definition)}${where}`)).rows[0]?.[0])
  const [rows, gone] = [await count(whole), await count(sql` where ${isGone}`)]
  guard(name, work, { rows, gone, selected: selected.rows })
  if (gone === 0) return 0
  const { affected } = await query(sql`${removal(work, adapter, at)} where ${isGone}`)
  const left = await count(sql` where ${isGone}`)
  if (affected === gone && left === 0) return gone
  throw new TerminalError(
    `${name}: ${gone} rows of ${definition.database}.${definition.table} are not in the SELECT any more, ${affected} were taken away and ${left} are left, so nothing of this run was kept; look for a trigger, a rule or a policy`,
  )
}

/** Rows that are not marked already. */
function isLive({ deletes: { field } }: SqlWork): Sql[] {
  if (field === null) return []
  const isNull = sql`${columnName(field)} is null`
  return [field.field.settings.kind === 'boolean' ? sql`(${isNull} or not ${columnName(field)})` : isNull]
}

function removal({ into, deletes: { field } }: SqlWork, adapter: Adapter, at: string): Sql {
  const { definition } = into
  if (field === null) return sql`delete from ${tableName(definition)}`
  const set = (column: typeof field, value: unknown) =>
    sql`${columnName(column)} = ${boundValue(adapter, column, value)}`
  const { landed, touched, lockVersion } = definition
  const assignments = [
    set(field, field.field.settings.kind === 'boolean' ? true : at),
    ...touched.map((one) => (one === landed ? sql`${columnName(one)} = ${sql.raw(adapter.now)}` : set(one, at))),
    ...(lockVersion === null ? [] : [sql`${columnName(lockVersion)} = ${columnName(lockVersion)} + 1`]),
  ]
  return sql`update ${tableName(definition)} set ${sql.join(assignments)}`
}

function guard(
  name: string,
  { into, deletes, allowEmpty }: SqlWork,
  { rows, gone, selected }: { readonly rows: number; readonly gone: number; readonly selected: number },
): void {
  const where = `${into.definition.database}.${into.definition.table}`
  if (selected === 0 && rows > 0) {
    if (allowEmpty) return
    throw emptied(name, where, rows)
  }
  const most = Math.max(BORNE_DELETES, Math.floor(rows * deletes.most))
  if (gone <= most) return
  const kind = deletes.field === null ? 'hard: true' : `soft: '${deletes.field.name}'`
  throw new DataQualityError(
    '',
    'deletes_threshold',
    `${name}: the SELECT has no row any more for ${gone} of the ${rows} rows of ${where}, and at most ${most} may go, so nothing was written; look at its tables, or raise deletes: { ${kind}, most: … } when that is right`,
  )
}

export function emptied(name: string, where: string, rows: number): DataQualityError {
  return new DataQualityError(
    '',
    'source_empty',
    `${name}: the SELECT has no row at all, and would leave ${where} without its ${rows}, so nothing was written; look at its tables, or say allowEmpty: true when that is right`,
  )
}
