import type { CopyBlock, MergeResult, MergeTarget, QueryOptions, Text } from './adapter.ts'
import { BlockEncoder } from './copy-text.ts'
import type { Database } from './database.ts'
import { ConfigurationError, DataQualityError } from './errors.ts'
import type { Fields } from './fields.ts'
import type { ModelClass } from './model.ts'
import { type ColumnDefinition, columnOf, type TableDefinition, valueToText } from './table-definition.ts'
import { type ValidationError, validateAttributes } from './validations.ts'

export interface BulkOptions<F extends Fields = Fields> {
  /** The conflict key: the primary key or a unique key; the primary key when left out. */
  readonly by?: (keyof F & string) | readonly (keyof F & string)[]
  /** A row never overwrites one whose value of this property is greater. */
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
 * The columns that a bulk write names: all but those that the database fills by itself (a generated key, a default) unless rows
 * give them, and the lock version, which the database counts.
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

/** What a merge into a model's table needs to know. */
export function mergeTarget(
  definition: TableDefinition,
  mode: 'upsert' | 'insert',
  options: { readonly by?: string | readonly string[] | undefined; readonly version?: string | undefined },
  columns: readonly ColumnDefinition[] = bulkColumns(definition),
): MergeTarget {
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
    ignore: definition.touched.map(({ column }) => column),
    mode,
    ...(definition.lockVersion === null ? {} : { counter: definition.lockVersion.column }),
    ...(options.version === undefined ? {} : { version: columnOf(definition, options.version).column }),
  }
}

/**
 * Makes the function that turns a row of values into the texts of its columns, or says what is wrong with it. Instants are in UTC without an
 * offset, as `merge` takes them on every dialect.
 */
export function rowEncoder(
  definition: TableDefinition,
  touchedAt: string,
  columns: readonly ColumnDefinition[] = bulkColumns(definition),
): (
  attributes: Readonly<Record<string, unknown>>,
) => { readonly texts: readonly Text[] } | { readonly errors: readonly ValidationError[] } {
  const known = new Set(definition.byName.keys())
  return (attributes) => {
    for (const name in attributes) if (!known.has(name)) columnOf(definition, name)
    const errors = validateAttributes(definition, attributes)
    if (errors.length > 0) return { errors }
    try {
      return { texts: columns.map((column) => encoded(column, attributes[column.name], touchedAt)) }
    } catch (error) {
      if (!(error instanceof DataQualityError)) throw error
      return { errors: [{ field: error.field, code: error.code, message: error.message }] }
    }
  }
}

function encoded(column: ColumnDefinition, value: unknown, touchedAt: string): Text {
  return valueToText(column, value === undefined && column.field.settings.isTouched ? touchedAt : value)
}

/** Merges blocks of COPY text in the columns of the model, in the open transaction. */
export function mergeBlocks(
  database: Database,
  target: MergeTarget,
  open: () => AsyncIterable<CopyBlock> | Iterable<CopyBlock>,
  options: QueryOptions = {},
): Promise<MergeResult> {
  return database.withConnection((connection) => connection.merge(target, open, options))
}

/** Writes many rows in one transaction; rows that break a rule or that the database refuses are reported, the others written. */
export async function writeAll(
  model: ModelClass,
  input: Iterable<Readonly<Record<string, unknown>>>,
  mode: 'upsert' | 'insert',
  options: BulkOptions,
): Promise<BulkResult> {
  const { definition } = model
  const rows = Array.isArray(input) ? input : [...input]
  const columns = bulkColumns(definition, givenIn(rows, definition))
  const encode = rowEncoder(definition, new Date().toISOString().replace('T', ' ').replace('Z', ''), columns)
  const encoder = new BlockEncoder()
  const blocks: CopyBlock[] = []
  const rejected: RejectedInput[] = []
  const places: number[] = []
  let place = 0
  for (const attributes of rows) {
    const result = encode(attributes)
    if ('errors' in result) rejected.push({ row: place, errors: result.errors })
    else {
      places.push(place)
      const block = encoder.push(result.texts)
      if (block !== null) blocks.push(block)
    }
    place += 1
  }
  const rest = encoder.flush()
  if (rest !== null) blocks.push(rest)
  if (blocks.length === 0) return { inserted: 0, updated: 0, unchanged: 0, duplicate: 0, rejected }
  const target = mergeTarget(definition, mode, options, columns)
  const merged = await model.database.transaction(() =>
    mergeBlocks(model.database, target, () => blocks, { signal: options.signal }),
  )
  for (const { row, code, column, message } of merged.rejected) {
    const field = definition.columns.find((candidate) => candidate.column === column)?.name ?? ''
    rejected.push({ row: places[row] ?? row, errors: [{ field, code, message }] })
  }
  return { ...merged, rejected: rejected.sort((a, b) => a.row - b.row) }
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
