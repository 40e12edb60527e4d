import type { RawBuilder } from 'kysely'
import type { DataQualityError } from '#dray/errors.ts'
import type { AlterCapabilities } from './alterations.ts'
import type { CatalogueCapabilities } from './catalogue.ts'
import type { CopyTypes } from './copied-types.ts'
import type { FieldKind } from './field-kind.ts'
import type { LiveTypes } from './live-types.ts'
import type { LockableConnection, ReadRows } from './reading.ts'

type Sql = RawBuilder<unknown>

/** How the rows of a SELECT are held until the transaction ends. */
export type LockMode = 'share' | 'update'

/**
 * What an engine calls things, and what it can and cannot do: code that writes SQL asks for these, never for the
 * engine's name. Each engine has them in its `capabilities.ts`, `schema.ts` and `digests.ts`.
 */
export interface Capabilities {
  /** What stands for the bound value of this position, from 1: `$1` or `?`. */
  placeholder(position: number): string
  /** How many values a statement can have bound. */
  readonly mostParameters: number
  /** The database's clock, in UTC, at the moment of the statement. */
  readonly now: string
  /** What LIMIT is given where an OFFSET was asked for, and no limit. */
  readonly everyRow: string
  /**
   * Ends a SELECT, and locks its rows until the transaction ends: `share` keeps them from being changed, `update` from
   * `share` as well.
   */
  rowLock(mode: LockMode): string
  /** Stands behind the table in an INSERT that leaves every column to its default. */
  readonly defaultValues: string
  /** Stands behind the columns in an INSERT that gives its own values to a key that the database generates. */
  readonly overridingGenerated: string
  /** The key that the session's last INSERT generated; null where RETURNING gives the whole row instead. */
  readonly lastGeneratedKey: string | null
  /**
   * The number below which every transaction has ended, for an `xid` cursor; null where transactions have no numbers in
   * rows.
   */
  readonly settledTransaction: string | null
  /** One transaction writes at a time, so that numbers are committed in the order in which they are drawn. */
  readonly numbersCommitInOrder: boolean
  /** What the counter of a column has given; throws where nobody may ask. */
  drawnNumbers(rows: ReadRows, table: string, column: string): Promise<DrawnNumbers>
  /** The type of a scalar as the engine names it, also where there is no row; null where it cannot be asked. */
  readonly typeOf: ((value: Sql) => Sql) | null
  readonly indexOrder: IndexOrder
  /** A boolean is written as a number: a BIT takes no text. */
  readonly booleansAreNumbers: boolean
  /** A number that is infinite, as SQL writes it; null where its text is one, and where there is none. */
  readonly infinity: string | null
  /** An instant without an offset would be read in the session's zone, so its offset is written behind it. */
  readonly instantsNeedOffset: boolean
  /** Digits of a fraction of a second in a type of time stamps that does not name them. */
  readonly stampDigits: number
  /** What a time stamp in a column of this live type says. */
  stampForm(liveType: string): StampForm
  /** How time stamps are compared where they are text. */
  readonly textStamps: TextStamps
  /** How the time of a clock somewhere becomes a moment; null where the engine knows no zones. */
  readonly zones: ZoneCapabilities | null
  /**
   * Digits that a FLOAT is written with, where it holds more: it is read as a DOUBLE, which has all. Null where all are
   * written.
   */
  readonly floatDigits: number | null
  /**
   * How a key column of this live type is ordered and compared, where ORDER BY and `>` would follow different rules;
   * null where both take the column as it is. Null instead of the function: no type is such a one.
   */
  readonly comparedAs: ((column: Sql, kind: FieldKind, liveType: string) => ComparedAs | null) | null
  /** Whether a column is NULL, whatever else the engine takes `IS NULL` for. */
  isNull(column: Sql): Sql
  /**
   * True for the text of a day or a moment that a column may hold, and that the engine refuses to compare it with; null
   * where there is none.
   */
  readonly isImpossibleMoment: ((text: string) => boolean) | null
  /**
   * How many bytes a value of a column of this live type has, told without reading it where the engine can; null for a
   * type whose values are all short. NULL for NULL.
   */
  bytesOf(column: Sql, liveType: string): Sql | null
  readonly schema: SchemaCapabilities
  readonly alter: AlterCapabilities
  readonly catalogue: CatalogueCapabilities
  /** How ranges of rows are digested by the database itself; null where it cannot. */
  readonly digests: DigestCapabilities | null
  readonly identity: IdentityCapabilities
}

/** What the counter of a column has given. */
export interface DrawnNumbers {
  /** The last number; null where there is no counter, or none has been drawn. */
  readonly last: string | null
  /** Sessions draw several numbers at once, and use them later. */
  readonly areKept: boolean
}

/** Whether the engine finds rows in the order of an expression by an index. */
export interface IndexOrder {
  explain(select: Sql): Sql
  /** By what the engine has explained. */
  isByIndex(explained: readonly string[]): boolean
  /** The statement that makes such an index; `name` is what it may be called. */
  create(table: string, expression: string, name: string): string
}

/** What tells a database from another one, whatever the address that it is reached at. */
export interface Identity {
  /** The server, by what the engine knows itself by; of SQLite the file. */
  readonly server: string
  readonly database: string
  /** How far the server had come, in the engine's own terms; null where it does not say. */
  readonly position: string | null
}

/**
 * How the database of now stands to one that was read before: `successor` is another server that has all that one had,
 * `behind` the same one, or a copy of it, that lacks what it had then.
 */
export type Kinship = 'same' | 'successor' | 'behind' | 'other'

/** Outside of a transaction: a question that a role may not ask must not end one. */
export interface IdentityCapabilities {
  /** `weakness` says by what remedy the database would be known for sure; null where it is. */
  read(rows: ReadRows): Promise<{ readonly identity: Identity; readonly weakness: string | null }>
  compare(rows: ReadRows, known: Identity, now: Identity): Promise<Kinship>
  /** What tells a table, or a view, with these columns from another one of its name. */
  ofTable(rows: ReadRows, table: string, columns: readonly string[]): Promise<TableIdentity>
  /** No table was made anew between two `definition`s of it. */
  sameDefinition(known: string, now: string): boolean
  /** Tables that have become parts of a table since; null where `partsFrom` never is one. */
  readonly newParts: ((rows: ReadRows, table: string, partsFrom: string) => Promise<readonly string[]>) | null
  /** What a role is granted so that `ids` are known; null where they need no grant. */
  readonly tablesKnownBy: string | null
}

/** Two tables are one where they share an id, or where one has none and their `definition`s are the same. */
export interface TableIdentity {
  /** What the engine numbers the table by, and its columns in it; of a partitioned one, each part. */
  readonly ids: readonly string[]
  /** What moves on whenever the table is made anew, and mostly when its definition changes. */
  readonly definition: string | null
  /** The first number of a transaction that may have given the table another part since; null where there is none. */
  readonly partsFrom: string | null
}

/**
 * `one`: no two of unique values are one value for another engine (numbers, moments). `uuid`: the same, in small
 * letters with dashes. `kept`: a text, as it was given; `padded`: but for the blanks at its end. `other`: in a way of
 * the engine.
 */
export type Spelling = 'one' | 'uuid' | 'kept' | 'padded' | 'other'

export interface KeyColumn {
  readonly name: string
  readonly kind: FieldKind
  readonly liveType: string
}

/** What tables are made of, and asked about. Names of tables are `table` or `schema.table`. */
export interface SchemaCapabilities {
  /** The type of a column, as CREATE TABLE writes it. */
  columnType(column: ColumnType): string
  /** Why the engine has no column of this size, with what to declare instead; null where it has. */
  columnFault(column: ColumnType): string | null
  /** Why these columns cannot be a primary key together, with what to declare instead; null where they can. */
  keyFault(columns: readonly ColumnType[]): string | null
  /** A SELECT that has a row where the schema is there, and the user can see it. */
  schemaNamed(schema: string): Sql
  /** The statement that makes a schema where there is none; null where a connection cannot make one. */
  createSchema(schema: string): string | null
  /**
   * The statement that moves the numbers of a generated key behind those that rows were given, where an INSERT failed
   * because its next number is taken; null where it failed for something else.
   */
  numbersMoved(error: DataQualityError, table: string, column: string): string | null
  /** Stands behind the type of a column that the database numbers by itself; null where the type says enough. */
  readonly generated: string | null
  /** Stands behind the columns in a CREATE TABLE. */
  readonly tableOptions: string
  /** Which kinds hold the values of which types; null where a column holds any value, whatever it was declared as. */
  readonly liveTypes: LiveTypes | null
  readonly copiedTypes: CopyTypes
  /** The collation by which no two texts of a key are one, where the table's own takes some for one. */
  exactCollation?(rows: ReadRows): Promise<string | null>
  /** A column of this type stores what a `binary()` gives as bytes; elsewhere it would be their text. */
  storesBytes(liveType: string): boolean
  /** How a column of this type, read or written as this kind, may write one value. */
  spellingOf(kind: FieldKind, liveType: string): Spelling
  /**
   * A SELECT of a key, as texts, that two rows have: as a number in one and as a text in the other; null where all
   * values of these columns are of one type.
   */
  sameTexts(table: string, key: readonly KeyColumn[]): Sql | null
  /** CREATE and DROP are part of the transaction; elsewhere they commit it. */
  readonly isTransactional: boolean
  /**
   * The statements that make the table `next` like another one, with its defaults, checks and unique keys. Where
   * an index needs a name that no other table's has, `indexName` makes one of the other table's.
   */
  tableLike(rows: ReadRows, table: string, next: string, indexName: (other: string) => string): Promise<string[]>
  /** The rows of a SELECT as a temporary table, under a name without a schema; in the open transaction. */
  temporaryTable(name: string, select: Sql): TemporaryTable
  /** An expression: the name of a table within its database, in the one spelling that every name for it has. */
  wholeName(table: string): Sql
  /**
   * A SELECT of the foreign keys that refer to a table, a row for each of their columns: the key's name, the schema of
   * the table that has it (NULL where its name says enough), that table, 1 where it is the table itself, what becomes
   * of its rows ON DELETE, its column, the column referred to.
   */
  foreignKeysTo(table: string): Sql
  /** A row where the name is that of a view, materialized or not. */
  viewNamed(table: string): Sql
  /**
   * A SELECT that has a row where a value may rightly be stored as another one: a trigger can change rows before they
   * are written, or the column of a `text` is of a type that writes it in its own way.
   */
  reasonsToChange(table: string, column: string, kind: FieldKind): Sql
  /**
   * Runs `work`, which changes Dray's own tables on this connection, while nobody else does so in this database. Where
   * DDL is part of a transaction all of it is kept or nothing; elsewhere each statement for itself, so that the work
   * has to bear being begun again.
   */
  withMigrationLock<T>(connection: LockableConnection, work: () => Promise<T>): Promise<T>
}

export interface TemporaryTable {
  readonly create: Sql
  /** What statements call it. */
  readonly table: string
  /** Also where there is none. */
  readonly drop: Sql
}

export interface ColumnType {
  readonly kind: FieldKind
  readonly length: number | null
  readonly precision: number | null
  readonly scale: number | null
  /** In the engine's own words, in place of the type that is made for the kind. */
  readonly native?: string
}

/** A moment; the time of a clock somewhere, which needs a zone to be a moment; or text, which may be either. */
export type StampForm = 'moment' | 'local' | 'text'

/** What is ordered and compared instead of a column, and what a key's text is compared with it as. */
export interface ComparedAs {
  readonly by: Sql
  value(text: string): Sql
  /** An index of the column is of use. */
  readonly keepsIndex: boolean
  /** The same for an impossible moment, null for any other text; left out where the engine takes each text. */
  impossible?(text: string): { readonly by: Sql; readonly value: Sql } | null
  /** The column's text, where the engine would change a value as it is held within a statement. */
  readonly text?: Sql
}

/** Zones by their names in the IANA database. */
export interface ZoneCapabilities {
  /** The moment of a local time, the later of two where an hour comes twice; NULL for a zone that is not known. */
  momentOf(local: Sql, zone: string): Sql
  /** What a clock in the zone shows at a moment. */
  localOf(moment: Sql, zone: string): Sql
  /** A moment from its text in UTC. */
  moment(text: string): Sql
  /** What to do where the server does not know a zone. */
  readonly remedy: string
}

/** Time stamps that are text: `2024-01-01T10:00:00Z` would be behind every `2024-01-01 23:59:59`. */
export interface TextStamps {
  /** `YYYY-MM-DD HH:MM:SS.ffffff` of a stamp in UTC, in any of the forms that can be read. */
  normalised(column: Sql): Sql
  /** True for a stamp that cannot be put in order with the others: it has an offset, is a number, or has no date. */
  isUnreadable(column: Sql): Sql
  /** True for a stamp that says itself that it is in UTC. */
  saysZone(column: Sql): Sql
  /** The column as it is compared with `YYYY-MM-DD`, in the order of the bytes. */
  plain(column: Sql): Sql
  /** The length of a stamp without a fraction, which says to what it was cut; NULL for one with a fraction. */
  lengthWithoutFraction(column: Sql): Sql
}

/** The same digest of the same rows, on each engine that has them. */
export interface DigestCapabilities {
  /** A value as text that is the same on each engine; null for a kind that cannot be written so. */
  textOf(column: Sql, kind: FieldKind, liveType: string): Sql | null
  /** The texts of a row as one, each with its length in front, so that no two rows read alike; NULL is a dash. */
  rowText(texts: readonly Sql[]): Sql
  /** The SHA-256 of a text in UTF-8, in hexadecimal. */
  hashOf(text: Sql): Sql
  /** The sum over all rows of twelve hexadecimal digits of a hash, from this place on, counted from 1. */
  sumOfDigits(hash: Sql, from: number): Sql
}
