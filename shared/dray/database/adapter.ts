import type { Kysely } from 'kysely'
import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import type { Capabilities } from './capabilities.ts'
import type { FieldKind } from './field-kind.ts'

export type Dialect = 'postgres' | 'mysql' | 'sqlite'

/** A value bound to a statement: always text (or bytes), so that no number or Date is on the way. */
export type Bound = string | Uint8Array | null

export interface QueryResult {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Text[])[]
  /** Rows written by INSERT, UPDATE or DELETE; 0 for others. On MySQL as the server counts (an ODKU update is 2). */
  readonly affected: number
}

export interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

export interface CopyOptions extends QueryOptions {
  /**
   * What the columns are to hold. Where an engine holds something else (SQLite: text that is not valid UTF-8, bytes in
   * a column of text, text in one of bytes), its row comes with one more field, the names of those columns between
   * commas, and their bytes in hexadecimal behind `\x`. Else text that is not valid stops the reading.
   */
  readonly keepDamaged?: readonly FieldKind[]
  /**
   * Throws `RowTooLarge` instead of holding a row of more bytes than these. An engine may do so for a smaller row that
   * it would hold longer than it is (bytes in hexadecimal), and for one of which a value has more than its equal share.
   */
  readonly mostBytes?: number | undefined
}

export interface LiveColumn {
  readonly name: string
  /** The type as the database names it, e.g. `character varying(200)`, `bigint unsigned`, `TEXT`. */
  readonly type: string
  readonly nullable: boolean
  readonly hasDefault: boolean
  /** Computed by the database from other columns of its row, so that nothing can be written to it. */
  readonly isComputed: boolean
  /** The database numbers the rows by it: an identity, or AUTO_INCREMENT. */
  readonly isNumbered?: true
}

export interface LiveTable {
  readonly columns: readonly LiveColumn[]
  /** Column names of the primary key, in order; empty when there is none. */
  readonly primaryKey: readonly string[]
  /** Every unique index but the primary key, as column names. */
  readonly uniqueKeys: readonly (readonly string[])[]
}

export interface Mark {
  readonly column: string
  /** A boolean, which marks a row where it is true; else a value of any kind does. */
  readonly isFlag: boolean
}

/** What a merge writes. All names are columns, not properties. */
export interface MergeTarget {
  /** `table` or `schema.table`; quoted by the adapter, part by part. */
  readonly table: string
  /** The order of the fields in each row. */
  readonly columns: readonly string[]
  /** The conflict key: the primary key or a unique key of the table. */
  readonly key: readonly string[]
  /** Columns whose difference alone does not make a row changed (time stamps of the load). */
  readonly ignore?: readonly string[]
  /** A row of an older version never overwrites a newer one: the column to compare, `>=` wins. */
  readonly version?: string | undefined
  /** `version` keeps no row that is marked as deleted: the column of the mark, a flag or a time stamp. */
  readonly mark?: Mark | undefined
  /** Columns whose values are texts, whatever the type of the column: `007` is not 7. */
  readonly texts?: readonly string[]
  /** A column that is not among `columns`: an update of a row adds one to it. */
  readonly counter?: string
  /** `upsert` (default) overwrites what differs; `insert` refuses an existing key as a row error. */
  readonly mode?: 'upsert' | 'insert'
  /**
   * A row takes the place of one whose key is stored in another spelling (`Ann` for `ann` in `citext`), its key
   * included; without it such a row is rejected as `OTHER_SPELLING`.
   */
  readonly respell?: boolean
}

/** Keys that are held in a temporary table until the transaction ends. */
export interface HeldKeys {
  /** A condition on a row of the table, which a statement names as it is: its key is one of these. */
  readonly isHeld: string
}

/** The table that rows are held for, and which of its columns. */
export type HeldTable = Pick<MergeTarget, 'table' | 'columns'> & Partial<Pick<MergeTarget, 'key'>>

/** Rows in a temporary table of the session, as another table would hold them. */
export interface HeldRows {
  /** As SQL, with the columns that were asked for. */
  readonly table: string
  /** The column with the place of a row, as SQL. */
  readonly place: string
  /** The place of a row in the input, from 0. */
  rowOf(place: string): number
  /** Drops the table. */
  release(): Promise<void>
}

/** The code of a row that no statement refused and none wrote: a trigger, a policy or a view dropped it. */
export const DROPPED = 'dropped'

/** The code of a row whose key is that of another one for the table, but written otherwise. */
export const OTHER_SPELLING = 'spelling'

/** A row that the database refused. `row` is its place in the input, from 0. */
export interface RejectedRow {
  readonly row: number
  /** Its COPY text line, without the line end. */
  readonly line: string
  /** SQLSTATE, or the error number of MySQL and SQLite; `DROPPED` or `OTHER_SPELLING`. */
  readonly code: string
  readonly column: string | null
  readonly message: string
}

/**
 * Each count is taken by the statement that did it, none is what is left over;
 * `inserted + updated + unchanged + duplicate + rejected.length` equals the rows given.
 */
export interface MergeResult {
  readonly inserted: number
  readonly updated: number
  /** Rows whose key the table has with the same bytes in every compared column, or that `version` keeps back. */
  readonly unchanged: number
  /** Rows of a key, in the same spelling, that came again later in the same input; the last one won. */
  readonly duplicate: number
  readonly rejected: readonly RejectedRow[]
}

export interface SettledOptions {
  /** The lag where other transactions cannot be seen; the same by default. */
  readonly unseenLagSeconds?: number
  /** The table that is read: what it takes from elsewhere cannot be seen. */
  readonly table?: string
}

/** Times are text in UTC, `YYYY-MM-DD HH:MM:SS.ffffff`. */
export interface Settled {
  readonly until: string
  /** The database's clock. */
  readonly now: string
  /** False when other transactions cannot be seen (grants, a replica): then the lag alone protects. */
  readonly exact: boolean
  /** Why it is not exact. */
  readonly reason: string | null
  /** The lag that was kept. */
  readonly lagSeconds: number
  /** What keeps the bound from being `now - lag`, as the end of a sentence: `until …`. */
  readonly heldBy: string | null
}

export type TransactionMode = 'write' | 'snapshot' | 'read'

/** What tables looked like when they were first asked for: see `describingOnce`. */
export interface DescribedTables {
  of(table: string, ask: () => Promise<LiveTable | null>): Promise<LiveTable | null>
  /** To be called before each statement, and when it has ended: what it may have changed is asked again. */
  forgetAfter(sql: string): void
}

/**
 * One connection. Used by one caller at a time. What it throws has been through `translate`; an error of the caller's
 * own (of the rows that `merge` is given) comes through as it is.
 */
export interface Connection {
  query(sql: string, parameters?: readonly Bound[], options?: QueryOptions): Promise<QueryResult>
  /** Rows in pages, in bounded memory; abandoning the iteration frees the statement. */
  stream(
    sql: string,
    parameters?: readonly Bound[],
    options?: QueryOptions & { readonly pageRows?: number },
  ): AsyncIterable<readonly (readonly Text[])[]>
  /**
   * Gives every row of a SELECT as a line of COPY text, as they come in; where the engine gives them quicker than in
   * fields.
   */
  eachLine?(
    sql: string,
    parameters: readonly Bound[],
    take: (line: string) => void,
    options?: QueryOptions,
  ): Promise<void>
  /** The rows of a SELECT as blocks (64 KiB–1 MiB) of COPY text, in bounded memory. */
  copyOut(sql: string, parameters?: readonly Bound[], options?: CopyOptions): AsyncIterable<CopyBlock>
  /**
   * Merges rows into a table, inside the transaction that is open (it must be): COPY / LOAD DATA / batches into a
   * temporary table, last of each key wins, then one merge. A row that the database refuses or drops is isolated under
   * savepoints, tried again when others have landed, and reported; the rest is written. Rows that are one key for the
   * table in two spellings are all rejected. Rows that swap values of a unique key land together. Instants without an
   * offset are UTC, whatever the session's zone.
   * `open` yields the rows again from the start each time it is called.
   */
  merge(target: MergeTarget, open: OpenBlocks, options?: QueryOptions): Promise<MergeResult>
  /**
   * Merges the rows of a temporary table into a table, inside the transaction that is open: `from`, as SQL, which has
   * the target's columns under their names. No row leaves the server. All rows are written, or `DataQuality` is thrown
   * for one that the table cannot hold as it is, and for keys that come more than once (`repeated_key`).
   */
  mergeSelected(
    target: MergeTarget,
    from: string,
    options?: QueryOptions,
  ): Promise<Pick<MergeResult, 'inserted' | 'updated' | 'unchanged'>>
  /**
   * Holds keys of a table, inside the transaction that is open, so that the table's own comparison tells which of its
   * rows have one of them. A key that the table could not hold is left out: none of its rows can have it.
   */
  holdKeys(table: Pick<MergeTarget, 'table' | 'key'>, open: OpenBlocks, options?: QueryOptions): Promise<HeldKeys>
  /** The same of the rows of a temporary table, whose keys the table can hold: after `mergeSelected`. */
  holdSelected(table: Pick<MergeTarget, 'table' | 'key'>, from: string, options?: QueryOptions): Promise<HeldKeys>
  /**
   * Holds rows as a table's columns would store them, inside the transaction that is open: a `char(10)` filled up, a
   * document in its own order of keys. Rows with a value that a column would refuse, round or cut are left out. The
   * columns of a `key` compare as the table's unique key does.
   */
  holdRows(table: HeldTable, open: OpenBlocks, options?: QueryOptions): Promise<HeldRows>
  /**
   * Limits every statement from now on, BEGIN and COMMIT among them, whatever signals they are given: when the deadline
   * fires, what is under way stops as `Transient`, its session is ended on both sides, and nothing more is sent but a
   * ROLLBACK, which has two seconds. Engines that wait for no network have none.
   */
  stopAt?(deadline: AbortSignal | undefined): void
  /**
   * `snapshot` reads one consistent state and writes nothing; so does `read`, which `settledUntil` knows nothing of;
   * `write` takes the write lock at once on SQLite.
   */
  begin(mode: TransactionMode): Promise<void>
  /** Throws when the server answers ROLLBACK. */
  commit(): Promise<void>
  rollback(): Promise<void>
  savepoint(name: string): Promise<void>
  releaseSavepoint(name: string): Promise<void>
  rollbackTo(name: string): Promise<void>
  /** Where `describe` finds what it has been asked before, and puts what it is asked, until told otherwise. */
  describeBy?(known: DescribedTables | undefined): void
  /** The live table, or null when there is none. */
  describe(table: string): Promise<LiveTable | null>
  /**
   * The columns that a SELECT would give, which is not run. Whether they hold NULL is not known, so each is nullable.
   * Throws `Configuration` where the database refuses it: a missing table or column, a right, its syntax.
   */
  describeQuery(sql: string, parameters?: readonly Bound[]): Promise<readonly LiveColumn[]>
  /**
   * The settled upper bound of a time window, in this connection's snapshot: `now - lag` of the database's clock, never
   * past a transaction that is still open, and on a replica never past what it has replayed.
   */
  settledUntil(lagSeconds: number, options?: SettledOptions): Promise<Settled>
  /** The zone in which the server's own clock stamps rows; null where that is UTC, or where it has none. */
  serverZone(): Promise<string | null>
}

/**
 * One database engine behind one URL, with what it can do: the same roles under the same names in the folder of each
 * engine.
 */
export interface Adapter extends Capabilities {
  /** The engine's name, for messages and for SQL of a user's own; Dray itself asks for a capability. */
  readonly dialect: Dialect
  /** Kysely as a compiler only; it never executes. */
  // biome-ignore lint/suspicious/noExplicitAny: the tables are known by the models, not by Kysely.
  readonly builder: Kysely<any>
  acquire(): Promise<Connection>
  /** Gives a connection back; a broken one is closed instead of reused. */
  release(connection: Connection, broken?: boolean): Promise<void>
  close(): Promise<void>
  /** One part of a name, quoted by doubling. */
  quote(identifier: string): string
  /**
   * Turns a driver's error into `TransientError`, `TerminalError`, `ConfigurationError` (cannot connect: what, where,
   * remedy; the password never appears) or `DataQualityError` (one row's values are at fault), by SQLSTATE or error
   * number.
   */
  translate(error: unknown): Error
}

export interface AdapterOptions {
  /** The database's name in Dray, for messages. */
  readonly name: string
  readonly url: string
  /** The URL may neither turn off TLS nor the check of the server's certificate. */
  readonly verified?: boolean
  /** For short-lived credentials (IAM); asked for each new connection. */
  readonly password?: () => Promise<string>
  /** Connections at most; 2 by default, sized for a Lambda. */
  readonly maxConnections?: number
}
