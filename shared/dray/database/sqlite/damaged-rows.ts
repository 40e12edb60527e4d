import { isUtf8 } from 'node:buffer'
import type { Text } from '#dray/block/block.ts'
import { TerminalError } from '#dray/errors.ts'
import type { Bound } from '../adapter.ts'
import type { SqliteSession } from './session.ts'
import { namesOf, reading } from './valid-text.ts'
import { type Stored, textsOf } from './values.ts'

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

  /**
   * The texts of a suspect row; where some are not valid UTF-8, they are bytes in hexadecimal, and one more field names
   * their columns.
   */
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
