import { isUtf8 } from 'node:buffer'
import type { DatabaseSync } from 'node:sqlite'
import { TerminalError } from '#dray/errors.ts'
import type { Bound } from '../adapter.ts'
import type { Stored } from './values.ts'

const REPLACEMENT = '\uFFFD'
const READS = /^\s*(?:select|with|values)\b/i

/** Lets SQL tell whether bytes are UTF-8. */
export function defineTextCheck(database: DatabaseSync): void {
  database.function('dray_is_utf8', { deterministic: true }, (bytes) =>
    bytes instanceof Uint8Array && !isUtf8(bytes) ? 0 : 1,
  )
}

/** True for a row that may hold text which is not valid UTF-8: node:sqlite writes U+FFFD in place of what is not. */
export function isSuspect(row: readonly Stored[]): boolean {
  for (const value of row) if (typeof value === 'string' && value.includes(REPLACEMENT)) return true
  return false
}

/** Throws `Terminal` when a statement's result holds text that is not valid UTF-8: it cannot be read as it is. */
export function requireUtf8(
  database: DatabaseSync,
  where: string,
  sql: string,
  parameters: readonly Bound[],
  columns: readonly string[],
): void {
  if (!READS.test(sql)) return
  const names = namesOf(columns)
  const cases = names.map((name, index) => `WHEN NOT dray_is_utf8(CAST(${name} AS BLOB)) THEN ${index}`)
  const checked = `SELECT CASE ${cases.join(' ')} END AS bad FROM (SELECT * FROM dray_read)`
  const found = database
    .prepare(`${reading(sql, names)} SELECT bad FROM (${checked}) WHERE bad IS NOT NULL LIMIT 1`)
    .all(...parameters) as unknown as readonly (readonly [bigint])[]
  const column = found[0] === undefined ? undefined : columns[Number(found[0][0])]
  if (column === undefined) return
  throw new TerminalError(
    `${where} holds text in "${column}" that is not valid UTF-8, so it was not read: it would be changed; repair it, or store such bytes as BLOB`,
  )
}

/** Names for the columns of a statement, whatever its own are. */
export function namesOf(columns: readonly unknown[]): string[] {
  return columns.map((_, index) => `c${index}`)
}

/** The beginning of a statement that reads `sql` as `dray_read`, its columns under these names. */
export function reading(sql: string, names: readonly string[]): string {
  return `WITH dray_read(${names.join(', ')}) AS (${sql.replace(/[\s;]+$/, '')}\n)`
}
