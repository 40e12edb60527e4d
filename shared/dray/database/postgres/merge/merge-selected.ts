import type { Text } from '#dray/block/block.ts'
import { NAMED_KEYS, repeatedKeys } from '#dray/database/merge/repeated-keys.ts'
import { DataQualityError, TerminalError } from '#dray/errors.ts'
import { DROPPED, type MergeTarget } from '../../adapter.ts'
import { quote } from '../names.ts'
import { DroppedRows, judgeDeferred } from './attempt.ts'
import { countsOf, type MergeCounts } from './counts.ts'
import { joinsOnce, lacksRows, mergeTemporary } from './merge-at-once.ts'
import type { Merging } from './merging.ts'
import { losing, type NarrowColumn, narrowColumns } from './narrow-columns.ts'
import type { MergeSession } from './session.ts'
import { MergeSql } from './sql.ts'
import { readTargetTable, refuseRules, requireKey } from './target-table.ts'

/**
 * Merges the rows of a temporary table: all of them, or throws why one of them is refused. Their values are taken as
 * texts where the types differ, so that none is rounded or cut on the way.
 */
export async function mergeSelected(session: MergeSession, target: MergeTarget, from: string): Promise<MergeCounts> {
  if (!session.inTransaction()) {
    throw new TerminalError(`A merge into ${target.table} needs an open transaction, so nothing was written; begin one`)
  }
  const rows = async (sql: string, values: readonly string[]) => (await session.run(sql, values)).rows
  const table = await readTargetTable(rows, target)
  refuseRules(session, target, table)
  if (target.mode !== 'insert') await requireKey(session, target, table)
  const merging: Merging = { target, table, narrow: narrowColumns(table) }
  await judgeDeferred(session, table)
  await session.run("SET LOCAL TIME ZONE 'UTC'")
  const temporary = `pg_temp.${session.name('rows')}`
  const sql = new MergeSql(merging, temporary)
  const unchanged = `pg_temp.${session.name('unchanged')}`
  await session.run(joinsOnce(merging) ? `${sql.createTable()}; ${sql.createSequence(unchanged)}` : sql.createTable())
  const given = await fill(session, merging, temporary, from)
  await refuseLossy(session, merging, temporary)
  await refuseRepeated(session, merging, sql, temporary)
  const each = sql.eachRow(given)
  const merged = await mergeTemporary(session, merging, sql, { rows: each, given, order: 'ordered', unchanged })
  await judgeDeferred(session, table)
  const counts = countsOf(given, merged)
  if (counts === null || (await lacksRows(session, merging, sql, each))) throw dropped(target)
  await session.run(`DROP TABLE ${temporary}${joinsOnce(merging) ? `; DROP SEQUENCE ${unchanged}` : ''}`)
  return counts
}

async function fill(
  session: MergeSession,
  { target, table, narrow }: Merging,
  temporary: string,
  from: string,
): Promise<number> {
  const types = `SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0`
  const given = new Map((await session.run(types, [from])).rows as readonly [string, string][])
  const values = target.columns.map((name) => {
    const { fullType } = table.columns.find((column) => column.name === name) ?? { fullType: 'text' }
    const staged = narrow.find(({ column }) => column === name)?.wide ?? fullType
    const isSame = given.get(name) === baseOf(staged) || given.get(name) === baseOf(fullType)
    return isSame ? quote(name) : `${quote(name)}::text::${staged}`
  })
  const columns = target.columns.map(quote).join(', ')
  const filled = await session.run(`INSERT INTO ${temporary} (${columns}) SELECT ${values.join(', ')} FROM ${from}`)
  return filled.rowCount ?? 0
}

/** `timestamp(3) without time zone` without its digits. */
function baseOf(type: string): string {
  return type.replace(/\([\d,-]+\)/, '')
}

async function refuseLossy(session: MergeSession, { target, narrow }: Merging, temporary: string): Promise<void> {
  const condition = losing(narrow)
  if (condition === null) return
  const which = narrow.map(({ loses }, place) => `WHEN ${loses} THEN ${place}`).join(' ')
  const shown = narrow.map(({ column, loses }) => `WHEN ${loses} THEN ${quote(column)}::text`).join(' ')
  const key = target.key.map((column) => `${quote(column)}::text`)
  const columns = [`CASE ${which} END`, `CASE ${shown} END`, ...key].join(', ')
  const [row] = (await session.run(`SELECT ${columns} FROM ${temporary} WHERE ${condition} LIMIT 1`)).rows
  if (row === undefined) return
  const [place, value, ...values] = row
  const { column, code, message } = narrow[Number(place)] as NarrowColumn
  const where = target.key.length === 0 ? '' : ` of the row with (${target.key.join(', ')}) = (${values.join(', ')})`
  throw new DataQualityError(column, code, `${column}${where} is ${JSON.stringify(value)}: ${message}`)
}

async function refuseRepeated(session: MergeSession, { target }: Merging, sql: MergeSql, from: string): Promise<void> {
  if (!sql.keyed) return
  const key = target.key.map(quote).join(', ')
  const isKeyed = target.key.map((column) => `${quote(column)} IS NOT NULL`).join(' AND ')
  const { rows } = await session.run(
    `SELECT ${key} FROM ${from} WHERE ${isKeyed} GROUP BY ${key} HAVING count(*) > 1 ORDER BY ${key} LIMIT ${NAMED_KEYS}`,
  )
  if (rows.length > 0) throw repeatedKeys(target, rows as readonly (readonly Text[])[])
}

function dropped(target: MergeTarget): DataQualityError {
  return new DataQualityError('', DROPPED, new DroppedRows(target).message)
}
