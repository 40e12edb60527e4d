import { sql } from 'kysely'
import { pastedSql } from '#dray/active-record/pasted-sql.ts'
import { tableName } from '#dray/active-record/sql.ts'
import type { Connection } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { cursorColumns, cursorName, cursorOf, cursorValue } from './cursor-value.ts'
import type { SourceTable } from './source-table.ts'

/** A table of fewer rows is read quickly without an index, too. */
const FEW_ROWS = 10_000

/** Whether the table is so large that a run without an index takes its time. */
export async function isLarge({ source }: Extraction, connection: Connection, table: Pick<SourceTable, 'adapter'>) {
  const some = sql`select 1 from ${tableName(source.definition)} limit ${sql.raw(String(FEW_ROWS + 1))}`
  const count = compile(table.adapter, sql`select count(*) from (${some}) as ${sql.id('some')}`)
  return Number((await connection.query(count.sql, count.parameters)).rows[0]?.[0]) > FEW_ROWS
}

/** Whether the cursor is more than one column, so that an index of an expression finds its rows. */
export function isComputed(extraction: Extraction): boolean {
  const { expression, fields } = cursorOf(extraction)
  return expression !== null || fields.length > 1
}

/** Says that a cursor that is computed has no index, with the statement that makes one; null where it has. */
export async function noteOfMissingIndex(
  extraction: Extraction,
  connection: Connection,
  table: Pick<SourceTable, 'adapter'>,
): Promise<string | null> {
  const { adapter } = table
  const { definition } = extraction.source
  if (definition.query !== undefined) return null
  const value = cursorValue(extraction)
  const select = sql`select ${value} from ${tableName(definition)} where ${value} is not null order by ${value} limit 1`
  const explain = compile(adapter, adapter.indexOrder.explain(select))
  const explained = (await connection.query(explain.sql, explain.parameters)).rows.map((row) => row.join(' '))
  if (adapter.indexOrder.isByIndex(explained) || !(await isLarge(extraction, connection, table))) return null
  const name = `${definition.table}_${cursorColumns(extraction)[0]?.name}`.replace(/\W+/g, '_')
  const create = adapter.indexOrder.create(definition.table, expressionText(extraction, table), name)
  return `no index of ${definition.database}.${definition.table} is of ${cursorName(extraction)}, by which it is read, so each run reads the whole table; ${create}`
}

function expressionText(extraction: Extraction, { adapter }: Pick<SourceTable, 'adapter'>): string {
  const text = pastedSql(adapter, cursorValue(extraction, { isOfIndex: true }))
  return cursorOf(extraction).expression === null ? text : text.slice(1, -1)
}
