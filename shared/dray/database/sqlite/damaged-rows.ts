import { isUtf8 } from 'node:buffer'
import type { Text } from '#dray/block/block.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Bound } from '../adapter.ts'
import type { FieldKind } from '../field-kind.ts'
import type { SqliteSession } from './session.ts'
import { isSuspect, namesOf, reading } from './valid-text.ts'
import { type Stored, textOf, textsOf } from './values.ts'

/**
 * Finds the rows of a statement that hold something else than their columns are to hold. Text that may not be valid is
 * read once more, as bytes, beside the first reading and in its snapshot.
 */
export class DamagedRows {
  readonly #session: SqliteSession
  readonly #sql: string
  readonly #parameters: readonly Bound[]
  readonly #kinds: readonly FieldKind[]
  #columns: readonly string[] = []
  #rows: Iterator<Stored[]> | null = null
  #next = 0

  constructor(session: SqliteSession, sql: string, parameters: readonly Bound[], kinds: readonly FieldKind[]) {
    this.#session = session
    this.#sql = sql
    this.#parameters = parameters
    this.#kinds = kinds
  }

  /** The texts of a row; with one more that names the columns which hold something else, in hexadecimal then. */
  texts(place: number, row: Stored[]): Text[] {
    const bytes = isSuspect(row) ? this.#bytesAt(place) : null
    if (bytes === null && !row.some((value, index) => this.#isMisplaced(value, index))) return textsOf(row)
    const isDamaged = (value: Stored, index: number) =>
      this.#isMisplaced(value, index) || (bytes !== null && this.#isInvalid(value, bytes[index] ?? null))
    const damaged = row.flatMap((value, index) => (isDamaged(value, index) ? [index] : []))
    if (damaged.length === 0) return textsOf(row)
    const texts = textsOf([...row])
    for (const index of damaged) {
      const value = bytes?.[index] ?? row[index]
      texts[index] = textOf(typeof value === 'string' ? Buffer.from(value) : (value ?? null))
    }
    return [...texts, damaged.map((index) => this.#names()[index]).join(',')]
  }

  /** A column of SQLite holds whatever it is given. */
  #isMisplaced(value: Stored, index: number): boolean {
    if (value instanceof Uint8Array) return this.#kinds[index] !== 'binary'
    return typeof value === 'string' && this.#kinds[index] === 'binary'
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
    const names = namesOf(this.#names())
    const bytes = names.map((name) => `CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) END`)
    return this.#session.iterate(
      `${reading(this.#sql, names)} SELECT ${bytes.join(', ')} FROM dray_read`,
      this.#parameters,
    )
  }

  #names(): readonly string[] {
    if (this.#columns.length > 0) return this.#columns
    const statement = this.#session.database.prepare(this.#sql)
    this.#columns = statement.columns().map(({ name }) => name)
    return this.#columns
  }

  #isInvalid(value: Stored, bytes: Stored): boolean {
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
