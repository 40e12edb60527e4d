import { isUtf8 } from 'node:buffer'
import type { DatabaseSync } from 'node:sqlite'
import type { Bound, Text } from '../../adapter.ts'
import { TerminalError } from '../../errors.ts'
import type { SqliteSession } from './session.ts'
import { type Stored, textsOf } from './values.ts'

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

function namesOf(columns: readonly unknown[]): string[] {
  return columns.map((_, index) => `c${index}`)
}

function reading(sql: string, names: readonly string[]): string {
  return `WITH dray_read(${names.join(', ')}) AS (${sql.replace(/[\s;]+$/, '')}\n)`
}

/** The rows of a statement once more, with their text as bytes, beside the first reading and in its snapshot. */
export class DamagedRows {
  readonly #session: SqliteSession
  readonly #sql: string
  readonly #parameters: readonly Bound[]
  #columns: readonly string[] = []
  #rows: Iterator<Stored[]> | null = null
  #next = 0

  constructor(session: SqliteSession, sql: string, parameters: readonly Bound[]) {
    this.#session = session
    this.#sql = sql
    this.#parameters = parameters
  }

  /** The texts of a suspect row; where some are not valid UTF-8, they are bytes in hexadecimal, and one more field names their columns. */
  texts(place: number, row: Stored[]): Text[] {
    const bytes = this.#bytesAt(place)
    const damaged = row.flatMap((value, index) => (this.#isDamaged(value, bytes[index] ?? null) ? [index] : []))
    if (damaged.length === 0) return textsOf(row)
    const texts = textsOf([...row])
    for (const index of damaged) texts[index] = `\\x${Buffer.from(bytes[index] as Uint8Array).toString('hex')}`
    return [...texts, damaged.map((index) => this.#columns[index]).join(',')]
  }

  close(): void {
    this.#rows?.return?.()
  }

  #bytesAt(place: number): readonly Stored[] {
    this.#rows ??= this.#open()
    for (;;) {
      const next = this.#rows.next()
      if (next.done === true) throw this.#moved()
      if (this.#next++ === place) return next.value
    }
  }

  #open(): Iterator<Stored[]> {
    const { database } = this.#session
    this.#columns = database
      .prepare(this.#sql)
      .columns()
      .map(({ name }) => name)
    const names = namesOf(this.#columns)
    const bytes = names.map((name) => `CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) END`)
    return this.#session.iterate(
      `${reading(this.#sql, names)} SELECT ${bytes.join(', ')} FROM dray_read`,
      this.#parameters,
    )
  }

  #isDamaged(value: Stored, bytes: Stored): boolean {
    if (typeof value !== 'string') return false
    if (!(bytes instanceof Uint8Array)) throw this.#moved()
    if (!isUtf8(bytes)) return true
    if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8') !== value) throw this.#moved()
    return false
  }

  #moved(): TerminalError {
    const { name, path } = this.#session.place
    return new TerminalError(
      `Database ${name} (${path}) gave rows in another order when they were read once more, so text that is not valid UTF-8 could not be kept; repair it, or give the statement an order`,
    )
  }
}
