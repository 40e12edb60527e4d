import type { FieldKind } from './field-kind.ts'
import type { LockableConnection, ReadRows } from './reading.ts'

/**
 * What a statement does to the rows that are there: `safe` leaves them as they are, `rewrites` writes or reads each of
 * them while others wait, `loses data` can cut or drop values.
 */
export type Mark = 'safe' | 'rewrites' | 'loses data'

/** Where a statement is made of several changes, it is marked as the worst of them. */
export function worstOf(marks: readonly Mark[]): Mark {
  return marks.includes('loses data') ? 'loses data' : marks.includes('rewrites') ? 'rewrites' : 'safe'
}

/** How long a statement waits for a lock, so that those who wait behind it do not wait for long. */
export const LOCK_SECONDS = 5

/** A column as the model's `createTable()` would make it. */
export interface WantedColumn {
  readonly name: string
  readonly kind: FieldKind
  /** As CREATE TABLE writes it. */
  readonly type: string
  readonly nullable: boolean
  /** The database numbers it. */
  readonly isGenerated: boolean
  /** It has the default 0. */
  readonly startsAtZero: boolean
}

/** A column that differs from what is wanted, and in what. */
export interface ColumnChange {
  readonly kind: 'change'
  readonly column: WantedColumn
  /** Its type, as the database names it. */
  readonly liveType: string
  readonly type: boolean
  readonly nullable: boolean
  readonly startsAtZero: boolean
  readonly isGenerated: boolean
}

export interface KeyChange {
  readonly kind: 'key'
  readonly columns: readonly string[]
  readonly former: readonly string[]
}

/** One thing by which a table differs from what is wanted. */
export type Change =
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'add'; readonly column: WantedColumn; readonly nullable: boolean }
  | { readonly kind: 'drop'; readonly name: string }
  | ColumnChange
  | KeyChange

/** Rows that keep a statement from being done. */
export interface UnfitRows {
  /** After their number: `are NULL in email`. */
  readonly what: string
  /** A SELECT of one number. */
  readonly count: string
}

/** What is sent to an engine for one change, or for several that it can make together only. */
export interface Alteration {
  readonly columns: readonly string[]
  readonly mark: Mark
  /** `widens email from varchar(20) to varchar(40)` */
  readonly what: string
  readonly sql: readonly string[]
  /** Who waits while it is done; null where nobody does, but for a moment. */
  readonly locks: string | null
  readonly unfit: readonly UnfitRows[]
  /** A SELECT of the number of values that are gone afterwards; null where there are none. */
  readonly lost: string | null
  /** What would not survive it, by name, so that it is not done; else null. */
  readonly refused: string | null
}

/** How an engine changes tables that hold rows. Names of tables are `table` or `schema.table`. */
export interface AlterCapabilities {
  /** `Email` and `email` are one column. */
  readonly ignoresCase: boolean
  /** A live column has the type that is wanted, or one that holds the same values in the same way. */
  isType(column: WantedColumn, liveType: string): boolean
  /** Both name one type: the engine may show a width, or leave it away. */
  isSame(type: string, other: string): boolean
  /** The statements for these changes of a table, in the order in which they are done. */
  alterationsOf(rows: ReadRows, table: string, changes: readonly Change[]): Promise<readonly Alteration[]>
  /**
   * Of columns that are to be added, why a row of the table has no room for one beside those before it, else null. It
   * is tried on an empty copy, so that nobody waits for the table. Engines whose rows have room for any have none.
   */
  roomFaults?(
    rows: ReadRows,
    table: string,
    changes: readonly Extract<Change, { kind: 'add' }>[],
  ): Promise<readonly (string | null)[]>
  /**
   * Runs `work`, which changes tables on this connection and waits `LOCK_SECONDS` for each of its locks: in one
   * transaction where DDL is part of one, else each statement is kept once it is done.
   */
  whileAltering<T>(connection: LockableConnection, work: () => Promise<T>): Promise<T>
  /** Keeps others from writing to a table from the check of its rows until it is changed; `after` ends that. */
  lockTable(table: string): { readonly before: string | null; readonly after: string | null }
}

/** A sentence's part: `changes`, `widens` or `narrows`. */
export function typeChanged(name: string, from: string, to: string, mark: Mark): string {
  return `${mark === 'loses data' ? 'narrows' : 'widens'} ${name} from ${from === '' ? 'no type' : from} to ${to}`
}

/** What differs of a key between two lists of columns: `id` and `id, region`. */
export function keyChanged({ columns, former }: KeyChange): string {
  const was = former.length === 0 ? 'there was none' : `it was ${former.join(', ')}`
  return `makes ${columns.join(', ')} the primary key (${was})`
}
