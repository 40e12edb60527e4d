import { type RawBuilder, sql } from 'kysely'
import { columnName, tableName } from '#dray/active-record/sql.ts'
import type { Adapter, Connection } from '#dray/database/adapter.ts'
import type { LandedRows } from '#dray/pipeline/declare/landed-rows.ts'
import type { SqlWork } from '#dray/pipeline/declare/sql-task.ts'
import { momentForm } from '#dray/pipeline/plan/cursor-form.ts'

type Sql = RawBuilder<unknown>

/** The SELECT of a task, of what has landed since `from`; of all rows where that is null. */
export async function querySql(
  { parts }: Pick<SqlWork, 'parts'>,
  from: string | null,
  connection: Connection,
  adapter: Adapter,
): Promise<Sql> {
  const pieces: Sql[] = []
  for (const part of parts) {
    if (part.kind === 'sql') pieces.push(sql.raw(part.text))
    else if (part.kind === 'table') pieces.push(tableName(part.definition))
    else if (part.kind === 'column') pieces.push(columnName(part.column))
    else if (part.kind === 'value') pieces.push(sql`${part.value}`)
    else pieces.push(from === null ? sql`(1 = 1)` : await since(part.landed, from, connection, adapter))
  }
  return sql.join(pieces, sql.raw(''))
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
export function windowedTables({ parts }: Pick<SqlWork, 'parts'>): readonly string[] {
  return [...new Set(parts.flatMap((part) => (part.kind === 'landed' ? [part.landed.definition.table] : [])))]
}
