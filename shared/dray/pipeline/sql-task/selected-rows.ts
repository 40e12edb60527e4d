import { type RawBuilder, sql } from 'kysely'
import { boundValue, columnName } from '#dray/active-record/sql.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Adapter, Connection, QueryOptions } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { DataQualityError } from '#dray/errors.ts'
import { type SqlWork, selectedColumns } from '#dray/pipeline/declare/sql-task.ts'

type Sql = RawBuilder<unknown>

const NAME = 'dray_selected'

/** What is written beside what the SELECT gives. */
interface Stamps {
  /** Of the fields that say when a row has landed, by the database's clock. */
  readonly now: string
  /** Of the other fields that each write sets. */
  readonly runStartedAt: string
}

/** The rows of the SELECT, in a temporary table. */
export interface SelectedRows {
  /** As SQL. */
  readonly table: string
  readonly rows: number
  readonly columns: readonly ColumnDefinition[]
  drop(): Promise<void>
}

/** Runs the SELECT once, in the open transaction. */
export async function selectRows(
  { work, query, stamps }: { readonly work: SqlWork; readonly query: Sql; readonly stamps: Stamps },
  connection: Connection,
  adapter: Adapter,
  options: QueryOptions,
): Promise<SelectedRows> {
  const run = (statement: Sql) => {
    const { sql: text, parameters } = compile(adapter, statement)
    return connection.query(text, parameters, options)
  }
  const selected = selectedColumns(work)
  const filled = work.into.definition.touched.map((column) => {
    const moment = column === work.into.definition.landed ? stamps.now : stamps.runStartedAt
    return { column, value: boundValue(adapter, column, moment) }
  })
  const { field } = work.deletes
  // What the SELECT has is not gone, or not any more.
  const unmarked =
    field === null
      ? []
      : [{ column: field, value: boundValue(adapter, field, field.field.settings.kind === 'boolean' ? false : null) }]
  const more = [...filled, ...unmarked]
  const values = [
    ...selected.map((column) => sql`dray_query.${columnName(column)}`),
    ...more.map(({ column, value }) => sql`${value} as ${columnName(column)}`),
  ]
  const { create, table, drop } = adapter.schema.temporaryTable(
    NAME,
    sql`select ${sql.join(values)} from (${query}\n) dray_query`,
  )
  await run(drop)
  await run(create)
  const { rows } = await run(sql`select count(*) from ${sql.raw(table)}`)
  return {
    table,
    rows: Number(rows[0]?.[0]),
    columns: [...selected, ...more.map(({ column }) => column)],
    drop: async () => void (await run(drop)),
  }
}

/** Throws `DataQuality` for rows that no key tells from others. */
export async function refuseKeyless(
  name: string,
  key: readonly ColumnDefinition[],
  { table }: SelectedRows,
  connection: Connection,
  adapter: Adapter,
): Promise<void> {
  if (key.length === 0) return
  const isNull = sql.join(
    key.map((column) => adapter.isNull(columnName(column))),
    sql` or `,
  )
  const { sql: text } = compile(adapter, sql`select count(*) from ${sql.raw(table)} where ${isNull}`)
  const rows = Number((await connection.query(text)).rows[0]?.[0])
  if (rows === 0) return
  const columns = key.map(({ column }) => column).join(', ')
  throw new DataQualityError(
    key.length === 1 ? (key[0] as ColumnDefinition).name : '',
    'keyless',
    `${name}: ${rows} ${rows === 1 ? 'row of the SELECT has' : 'rows of the SELECT have'} NULL in the key (${columns}), so nothing was written; leave such rows out (where … is not null), or give them a value (coalesce)`,
  )
}
