import { sql } from 'kysely'
import { tableName } from '#dray/active-record/sql.ts'
import type { Adapter, Connection, LiveColumn } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { cursorColumns, cursorName, cursorValue } from './cursor-value.ts'

/**
 * The live type of a cursor; of an expression as the engine says it, empty where it does not: then its values are taken
 * as texts. Throws `Terminal` for columns of several types, which have no order with each other.
 */
export async function typeOfCursor(
  extraction: Extraction,
  live: readonly LiveColumn[],
  connection: Connection,
  adapter: Adapter,
): Promise<string> {
  if (extraction.cursor === null) return ''
  if (extraction.cursor.expression !== null) return typeOfExpression(extraction, connection, adapter)
  const columns = cursorColumns(extraction)
  const types = columns.map(({ column }) => live.find(({ name }) => name === column)?.type ?? '')
  const [first = ''] = types
  if (adapter.schema.liveTypes === null || types.every((type) => withoutDigits(type) === withoutDigits(first)))
    return first
  const { database, table } = extraction.source.definition
  const said = columns.map(({ column }, place) => `${column} is ${types[place]}`).join(', ')
  throw new TerminalError(
    `${database}.${table}: the columns of the cursor are of several types (${said}), whose values have no order with each other, so nothing was read; name columns of one type, or give an expression that makes one of them: cursor: sql\`…\``,
  )
}

function withoutDigits(type: string): string {
  return type.toLowerCase().replace(/\(\d+\)/, '')
}

async function typeOfExpression(extraction: Extraction, connection: Connection, adapter: Adapter): Promise<string> {
  if (adapter.typeOf === null) return ''
  const one = sql`(select ${cursorValue(extraction)} from ${tableName(extraction.source.definition)} limit 0)`
  const statement = compile(adapter, sql`select ${adapter.typeOf(one)}`)
  const type = (await connection.query(statement.sql, statement.parameters)).rows[0]?.[0] ?? ''
  if (adapter.stampForm(type) !== 'text' || TEXTS.test(type)) return type
  const { database, table } = extraction.source.definition
  throw new TerminalError(
    `${database}.${table}: the cursor ${cursorName(extraction)} is of the type ${type}, which is no moment, so nothing was read; write SQL that gives a time stamp, as in sql\`to_timestamp(seconds)\` or sql\`cast(… as timestamptz)\``,
  )
}

/** Types whose values may be moments by their text. */
const TEXTS = /^(?:text|character|varchar|bpchar|citext|unknown)(?!.*\[\])/i
