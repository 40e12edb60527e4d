import { type RawBuilder, sql } from 'kysely'
import { tableName } from '#dray/active-record/sql.ts'
import type { Connection, QueryOptions } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import type { CheckResult } from '#dray/messages/check-result.ts'
import type { Check, Expectation } from '#dray/pipeline/declare/checks.ts'
import type { CheckedTable } from './checked-table.ts'
import { questionOf } from './questions.ts'

/** What was found of a check, before its severity says what becomes of it. */
export type Found = Pick<CheckResult, 'failing' | 'keys' | 'said'> & { readonly counted?: number }

const FIRST_KEYS = 10
/** An item of the state holds 400 KB, and a step may have many checks. */
const MOST_CHARACTERS = 200

/** Asks the database whether a check holds. */
export async function answerOf(
  check: Check,
  table: CheckedTable,
  connection: Connection,
  before: number | null,
  options: QueryOptions,
): Promise<Found> {
  const ask = (statement: RawBuilder<unknown>) => {
    const { sql: text, parameters } = compile(table.adapter, statement)
    return connection.query(text, parameters, options)
  }
  const numberOf = async (statement: RawBuilder<unknown>) => Number((await ask(statement)).rows[0]?.[0] ?? 0)
  if (check.expects.kind === 'rowCount') {
    const counted = await numberOf(sql`select count(*) from ${tableName(table.definition)}`)
    return { failing: null, keys: [], said: countFault(check.expects, counted, before), counted }
  }
  const question = questionOf(check, table)
  const failing = question === null ? 0 : await numberOf(question.count)
  if (question === null || failing === 0) return { failing, keys: [], said: null }
  const { columns, rows } = await ask(sql`${question.faults} limit ${sql.raw(String(FIRST_KEYS))}`)
  const keys = rows.map((row) =>
    Object.fromEntries(columns.map((column, place) => [column, cut(row[place] ?? null)] as const)),
  )
  return { failing, keys, said: `${failing} ${failing === 1 ? 'row' : 'rows'} with ${question.said}` }
}

type RowCount = Extract<Expectation, { readonly kind: 'rowCount' }>

function countFault({ within, min, max }: RowCount, counted: number, before: number | null): string | null {
  if (min !== null && counted < min) return `it has ${counted} rows, and ${min} at least are expected`
  if (max !== null && counted > max) return `it has ${counted} rows, and ${max} at most are expected`
  // Of no rows nothing is a share.
  if (within === null || before === null || before === 0 || Math.abs(counted - before) <= before * within) return null
  return `it has ${counted} rows, and had ${before} after the run before: more than ${within * 100} % apart`
}

function cut(text: string | null): string | null {
  return text === null || text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS).toWellFormed()}…`
}
