import { type RawBuilder, sql } from 'kysely'
import { columnName, querySql } from '#dray/active-record/sql.ts'
import type { LandedRows, Query } from '#dray/active-record/table-definition.ts'
import type { Adapter, Connection } from '#dray/database/adapter.ts'
import type { SqlWork } from '#dray/pipeline/declare/sql-task.ts'
import { momentForm } from '#dray/pipeline/plan/cursor-form.ts'

type Sql = RawBuilder<unknown>

/** The SELECT of a task, of what has landed since `from`; of all rows where that is null. */
export async function taskSql(
  { query }: Pick<SqlWork, 'query'>,
  from: string | null,
  connection: Connection,
  adapter: Adapter,
): Promise<Sql> {
  const conditions = new Map<LandedRows, Sql>()
  for (const landed of from === null ? [] : landedIn(query)) {
    conditions.set(landed, await since(landed, from as string, connection, adapter))
  }
  return querySql(query, conditions)
}

function landedIn({ parts }: Query): readonly LandedRows[] {
  return parts.flatMap((part) => (part.kind === 'landed' ? [part.landed] : []))
}

/**
 * No end of the window: whatever can be seen is read, and read again by the next run as far as others were still
 * writing. Rows without a stamp are from before tables had one, which the first run has read.
 */
async function since(
  { definition, column, alias }: LandedRows,
  from: string,
  connection: Connection,
  adapter: Adapter,
): Promise<Sql> {
  const live = await connection.describe(definition.table)
  const type = live?.columns.find(({ name }) => name === column.column)?.type ?? ''
  const name = alias === null ? columnName(column) : sql.id(alias, column.column)
  return sql`(${momentForm(adapter, name, adapter.stampForm(type)).from(from)})`
}

/** The tables whose landed rows a SELECT reads. */
export function windowedTables({ query }: Pick<SqlWork, 'query'>): readonly string[] {
  return [...new Set(landedIn(query).map(({ definition }) => definition.table))]
}
