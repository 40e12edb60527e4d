import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import { BlockEncoder } from '#dray/block/copy-text.ts'
import type { Mark, MergeResult, MergeTarget, QueryOptions } from '#dray/database/adapter.ts'
import type { Database } from '#dray/database/database.ts'
import type { FieldKind } from '#dray/database/field-kind.ts'
import { ConfigurationError, DataQualityError } from '#dray/errors.ts'
import type { Fields } from './fields.ts'
import type { ModelTable } from './model-table.ts'
import { kindOf } from './sql.ts'
import { instantNow, stampedRows } from './stamped-rows.ts'
import { type ColumnDefinition, columnOf, type TableDefinition, valueToText } from './table-definition.ts'
import { type ValidationError, validateValue } from './validations.ts'
import { compareTexts } from './value-order.ts'

export interface BulkOptions<F extends Fields = Fields> {
  /** The conflict key: the primary key or a unique key; the primary key when left out. */
  readonly by?: (keyof F & string) | readonly (keyof F & string)[]
  /** A row never overwrites one whose value of this property is greater; of the input, the greatest of a key counts. */
  readonly version?: keyof F & string
  readonly signal?: AbortSignal
}

/** A row that was not written, with its place in the input (from 0) and what is wrong with it. */
export interface RejectedInput {
  readonly row: number
  readonly errors: readonly ValidationError[]
}

/** `inserted + updated + unchanged + duplicate + rejected.length` equals the rows given. */
export interface BulkResult {
  readonly inserted: number
  readonly updated: number
  /** Rows that were in the table with the same values: not written. */
  readonly unchanged: number
  /** Rows whose key came again later in the input: the last one won. */
  readonly duplicate: number
  readonly rejected: readonly RejectedInput[]
}

/**
 * The columns that a bulk write names: all but those that the database fills by itself (a generated key, a default)
 * unless rows give them, and the lock version, which the database counts.
 */
export function bulkColumns(
  definition: TableDefinition,
  given: ReadonlySet<string> = new Set(),
): readonly ColumnDefinition[] {
  return definition.columns.filter(({ name, field: { settings } }) => {
    if (settings.isLockVersion) return false
    return given.has(name) || !(settings.isGenerated || settings.isDefaulted)
  })
}

/** Kinds of which two texts are two values. */
const TEXTS: ReadonlySet<string> = new Set(['text', 'varchar', 'json', 'uuid'] satisfies FieldKind[])

/** What a merge into a model's table writes. */
export interface ModelTarget extends MergeTarget {
  /** The column that holds when a row was written. */
  readonly stamped?: string
}

/** What a merge into a model's table needs to know. */
export function mergeTarget(
  definition: TableDefinition,
  mode: 'upsert' | 'insert',
  options: {
    readonly by?: string | readonly string[] | undefined
    readonly version?: string | undefined
    readonly mark?: string | undefined
  },
  columns: readonly ColumnDefinition[] = bulkColumns(definition),
): ModelTarget {
  const by =
    options.by === undefined ? definition.primaryKey : [options.by].flat().map((name) => columnOf(definition, name))
  if (by.length === 0 && mode === 'upsert') {
    throw new ConfigurationError(
      `${definition.database}.${definition.table} has no primary key, so upsert needs to know which rows are the same; give { by: … }`,
    )
  }
  return {
    table: definition.table,
    columns: columns.map(({ column }) => column),
    key: by.every((column) => columns.includes(column)) ? by.map(({ column }) => column) : [],
    texts: columns.filter(({ field }) => TEXTS.has(field.settings.kind)).map(({ column }) => column),
    ignore: definition.touched.map(({ column }) => column),
    mode,
    ...(definition.landed === null ? {} : { stamped: definition.landed.column }),
    ...(definition.lockVersion === null ? {} : { counter: definition.lockVersion.column }),
    ...(options.version === undefined ? {} : { version: columnOf(definition, options.version).column }),
    ...(options.mark === undefined ? {} : { mark: markOf(columnOf(definition, options.mark)) }),
  }
}

function markOf({ column, field }: ColumnDefinition): Mark {
  return { column, isFlag: field.settings.kind === 'boolean' }
}

/**
 * Makes the function that turns a row of values into the texts of its columns, or says what is wrong with it. Instants
 * are in UTC without an offset, as `merge` takes them on every dialect.
 */
export function rowEncoder(
  definition: TableDefinition,
  touchedAt: string,
  columns: readonly ColumnDefinition[] = bulkColumns(definition),
): (
  attributes: Readonly<Record<string, unknown>>,
) => { readonly texts: readonly Text[] } | { readonly errors: readonly ValidationError[] } {
  const { byName } = definition
  const kept = definition.columns.map((column) => ({
    column,
    name: column.name,
    place: columns.indexOf(column),
    touched: column.field.settings.isTouched ? touchedAt : undefined,
  }))
  const width = columns.length
  return (attributes) => {
    for (const name in attributes) if (!byName.has(name)) columnOf(definition, name)
    let errors: ValidationError[] | null = null
    const texts: Text[] = new Array(width).fill(null)
    for (let index = 0; index < kept.length; index++) {
      const { column, name, place, touched } = kept[index] as (typeof kept)[number]
      const given = attributes[name]
      const error = validateValue(column, given) ?? (place < 0 && given !== undefined ? notWritten(column) : null)
      if (error !== null) {
        errors ??= []
        errors.push(error)
      }
      const value = given === undefined ? touched : given
      if (errors !== null || place < 0 || value === null || value === undefined) continue
      try {
        texts[place] = valueToText(column, value)
      } catch (thrown) {
        if (!(thrown instanceof DataQualityError)) throw thrown
        errors = [{ field: thrown.field, code: thrown.code, message: thrown.message }]
      }
    }
    return errors === null ? { texts } : { errors }
  }
}

/** A value for a column that is not written: what the database fills in would stand in its place. */
function notWritten({ name, field: { settings } }: ColumnDefinition): ValidationError | null {
  if (settings.isLockVersion) return null
  const method = settings.isGenerated ? 'generated()' : 'defaulted()'
  const message = `is given, and the field is ${method}: the load leaves the column to the database, so the value would be lost; leave it out of the row, or take ${method} off the field`
  return { field: name, code: 'not_written', message }
}

/**
 * Merges blocks of COPY text in the columns of the model, in the open transaction. Its rows get the database's time
 * where the model keeps when they have landed.
 */
export function mergeBlocks(
  database: Database,
  { stamped, ...target }: ModelTarget,
  open: OpenBlocks,
  options: QueryOptions = {},
): Promise<MergeResult> {
  return database.withConnection(async (connection, adapter) => {
    const place = stamped === undefined ? -1 : target.columns.indexOf(stamped)
    if (place < 0) return connection.merge(target, open, options)
    const now = await instantNow(connection, adapter)
    return connection.merge(target, stampedRows(open, place, now), options)
  })
}

/**
 * Writes many rows in one transaction; rows that break a rule or that the database refuses are reported, the others
 * written.
 */
export async function writeAll(
  model: ModelTable,
  input: Iterable<Readonly<Record<string, unknown>>>,
  mode: 'upsert' | 'insert',
  options: BulkOptions,
): Promise<BulkResult> {
  const { definition } = model
  const given = rowsOf(input, `${mode}All() on ${definition.database}.${definition.table}`)
  const columns = bulkColumns(definition, givenIn(given, definition))
  const target = mergeTarget(definition, mode, options, columns)
  const now = utcNow()
  const order = newestLast(given, options.version === undefined ? null : columnOf(definition, options.version), now)
  const rows = order === null ? given : order.map((place) => given[place] as (typeof given)[number])
  const inInput = ({ row, errors }: RejectedInput) => ({ row: order?.[row] ?? row, errors })
  const encoded = new EncodedRows(rows, rowEncoder(definition, now, columns))
  if (encoded.isEmpty) {
    return { inserted: 0, updated: 0, unchanged: 0, duplicate: 0, rejected: encoded.rejected.map(inInput) }
  }
  const merged = await model.database.transaction(() =>
    mergeBlocks(model.database, target, () => encoded.blocks(), { signal: options.signal }),
  )
  const refused = merged.rejected.map(({ row, code, column, message }) => {
    const field = definition.columns.find((candidate) => candidate.column === column)?.name ?? ''
    return { row: encoded.placeOf(row), errors: [{ field, code, message }] }
  })
  const rejected = [...encoded.rejected, ...refused].map(inInput)
  return { ...merged, rejected: rejected.sort((a, b) => a.row - b.row) }
}

function rowsOf(input: Iterable<Readonly<Record<string, unknown>>>, call: string) {
  if (typeof input !== 'object' || input === null || !(Symbol.iterator in input)) {
    throw new ConfigurationError(`${call} takes a list of rows, and was given ${kindOf(input)}`)
  }
  const rows = Array.isArray(input) ? input : [...input]
  const other = rows.findIndex((row) => typeof row !== 'object' || row === null || Array.isArray(row))
  if (other < 0) return rows
  throw new ConfigurationError(`${call} takes objects of fields; row ${other} of the list is ${kindOf(rows[other])}`)
}

/**
 * The places of the rows by their version, so that of several rows of a key the newest is the last one, which counts;
 * null where they are in that order.
 */
function newestLast(
  rows: readonly Readonly<Record<string, unknown>>[],
  version: ColumnDefinition | null,
  now: string,
): readonly number[] | null {
  if (version === null) return null
  const texts = rows.map((row) => versionOf(row, version, now))
  const compare = (one: number, other: number) => {
    const [first = null, second = null] = [texts[one], texts[other]]
    if (first === null || second === null) return Number(first !== null) - Number(second !== null)
    return compareTexts(version, first, second)
  }
  if (rows.every((_, place) => place === 0 || compare(place - 1, place) <= 0)) return null
  return rows.map((_, place) => place).sort(compare)
}

function versionOf(row: Readonly<Record<string, unknown>>, version: ColumnDefinition, now: string): Text {
  const value = row[version.name]
  if (value === undefined && version.field.settings.isTouched) return now
  try {
    return valueToText(version, value)
  } catch {
    // The row is going to be rejected for it.
    return null
  }
}

function utcNow(): string {
  return new Date().toISOString().replace('T', ' ').replace('Z', '')
}

/** Rows that are encoded while the database takes the first of them. */
class EncodedRows {
  readonly rejected: RejectedInput[] = []
  readonly #rows: readonly Readonly<Record<string, unknown>>[]
  readonly #encode: ReturnType<typeof rowEncoder>
  readonly #encoder = new BlockEncoder()
  readonly #blocks: CopyBlock[] = []
  #next = 0

  constructor(rows: readonly Readonly<Record<string, unknown>>[], encode: ReturnType<typeof rowEncoder>) {
    this.#rows = rows
    this.#encode = encode
  }

  /** Whether no row is left to write. */
  get isEmpty(): boolean {
    return this.#block(0) === null
  }

  /** The blocks from the start, each time. */
  *blocks(): Generator<CopyBlock> {
    for (let index = 0, block = this.#block(0); block !== null; block = this.#block(++index)) yield block
  }

  /** The place in the input of a row that was encoded. */
  placeOf(row: number): number {
    let place = row
    for (const rejected of this.rejected) {
      if (rejected.row > place) break
      place += 1
    }
    return place
  }

  #block(index: number): CopyBlock | null {
    while (this.#blocks.length <= index) {
      const block = this.#encodeNext()
      if (block === null) return null
      this.#blocks.push(block)
    }
    return this.#blocks[index] as CopyBlock
  }

  #encodeNext(): CopyBlock | null {
    while (this.#next < this.#rows.length) {
      const place = this.#next++
      const result = this.#encode(this.#rows[place] as Readonly<Record<string, unknown>>)
      if ('errors' in result) this.rejected.push({ row: place, errors: result.errors })
      else {
        const block = this.#encoder.push(result.texts)
        if (block !== null) return block
      }
    }
    return this.#encoder.flush()
  }
}

/** The optional properties that the rows give; one that only some of them give would be NULL in the others. */
function givenIn(rows: readonly Readonly<Record<string, unknown>>[], definition: TableDefinition): Set<string> {
  const given = new Set<string>()
  for (const { name, field } of definition.columns) {
    if (!field.settings.isGenerated && !field.settings.isDefaulted) continue
    const count = rows.reduce((total, row) => total + (row[name] === undefined ? 0 : 1), 0)
    if (count === 0) continue
    if (count < rows.length) {
      throw new ConfigurationError(
        `${definition.database}.${definition.table}: ${count} of ${rows.length} rows give ${name}, which the database fills by itself; give it in all rows or in none`,
      )
    }
    given.add(name)
  }
  return given
}
