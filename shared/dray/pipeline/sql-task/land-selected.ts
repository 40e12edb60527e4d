import { type RawBuilder, sql } from 'kysely'
import { mergeTarget } from '#dray/active-record/bulk.ts'
import { tableName } from '#dray/active-record/sql.ts'
import { instantNow } from '#dray/active-record/stamped-rows.ts'
import type { Adapter, Connection, QueryOptions } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { DataQualityError } from '#dray/errors.ts'
import { BORNE_DELETES } from '#dray/pipeline/declare/deletes-option.ts'
import type { SqlWork } from '#dray/pipeline/declare/sql-task.ts'
import { deleteUnselected, emptied } from './delete-unselected.ts'
import { refuseUnfit } from './fit-values.ts'
import { refuseKeyless, type SelectedRows, selectRows } from './selected-rows.ts'

/** What became of the rows of a SELECT. */
export interface SelectedCounts {
  readonly read: number
  readonly inserted: number
  readonly updated: number
  readonly unchanged: number
  readonly deleted: number
}

interface Landing {
  readonly name: string
  readonly work: SqlWork
  readonly query: RawBuilder<unknown>
  /** In UTC. */
  readonly runStartedAt: string
}

/** Runs the SELECT and writes its rows into the table, in the open transaction: all of it, or it throws. */
export async function landSelected(
  { name, work, query, runStartedAt }: Landing,
  connection: Connection,
  adapter: Adapter,
  options: QueryOptions,
): Promise<SelectedCounts> {
  const stamps = { now: await instantNow(connection, adapter), runStartedAt }
  const selected = await selectRows({ work, query, stamps }, connection, adapter, options)
  await refuseKeyless(name, keyOf(work, selected), selected, connection, adapter)
  await refuseUnfit(name, work, selected, connection, adapter)
  if (work.by.length === 0) await emptyTable(name, work, selected.rows, connection, adapter)
  const merged = await merge(name, work, selected, connection, options)
  const deleted = await deleteUnselected({ name, work, selected, at: runStartedAt }, connection, adapter, options)
  await selected.drop()
  const { inserted, updated, unchanged } = merged
  return { read: selected.rows, inserted, updated, unchanged, deleted }
}

/** By what rows are the same; nothing where the database numbers them. */
function keyOf({ by, into }: SqlWork, { columns }: SelectedRows) {
  const key = by.length > 0 ? by : into.definition.primaryKey
  return key.every((column) => columns.includes(column)) ? key : []
}

async function merge(
  name: string,
  work: SqlWork,
  selected: SelectedRows,
  connection: Connection,
  options: QueryOptions,
) {
  const { table, columns } = selected
  const { into, by } = work
  const mode = by.length === 0 ? 'insert' : 'upsert'
  const key = keyOf(work, selected).map((column) => column.name)
  const {
    stamped: _,
    texts: __,
    ...target
  } = mergeTarget(into.definition, mode, key.length === 0 ? {} : { by: key }, columns)
  try {
    return await connection.mergeSelected({ ...target, respell: mode === 'upsert' }, table, options)
  } catch (error) {
    if (!(error instanceof DataQualityError)) throw error
    const { database, table: written } = into.definition
    throw new DataQualityError(
      error.field,
      error.code,
      `${name}: ${database}.${written} does not take the rows of the SELECT, so nothing was written: ${error.message}`,
      { cause: error },
    )
  }
}

/** Deletes all rows of a table that is replaced; for others they are there until the commit. */
async function emptyTable(
  name: string,
  { into, most, allowEmpty }: SqlWork,
  rows: number,
  connection: Connection,
  adapter: Adapter,
): Promise<void> {
  const { definition } = into
  const run = (statement: RawBuilder<unknown>) => connection.query(compile(adapter, statement).sql)
  const old = Number((await run(sql`select count(*) from ${tableName(definition)}`)).rows[0]?.[0])
  const where = `${definition.database}.${definition.table}`
  if (rows === 0 && old > 0 && !allowEmpty) throw emptied(name, where, old)
  const borne = Math.max(BORNE_DELETES, Math.floor(old * most))
  if (old - rows > borne && !(rows === 0 && allowEmpty)) {
    throw new DataQualityError(
      '',
      'replace_threshold',
      `${name}: the SELECT has ${rows} rows to replace the ${old} of ${where}, which may lose ${borne} at most, so nothing was written; look at its tables, or raise most when that is right`,
    )
  }
  await run(sql`delete from ${tableName(definition)}`)
}
