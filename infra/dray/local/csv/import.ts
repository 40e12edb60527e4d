import { type ModelTarget, mergeBlocks } from 'dray/internal/active-record/bulk.ts'
import type { Database } from 'dray/internal/active-record/database.ts'
import { text } from 'dray/internal/active-record/field-kinds.ts'
import { createTable } from 'dray/internal/active-record/schema.ts'
import type { Adapter, LiveTable } from 'dray/internal/database/adapter.ts'
import { compile } from 'dray/internal/database/statement.ts'
import { tableNameOf, tableParts } from 'dray/internal/database/table-name.ts'
import { ConfigurationError, TerminalError } from 'dray/internal/errors.ts'
import { foreignKeysTo } from 'dray/internal/pipeline/landing/foreign-keys.ts'
import { nextTable } from 'dray/internal/pipeline/landing/next-table.ts'
import { columnNames, type ImportedColumn, type ImportTarget, importedColumns, named } from './columns.ts'
import type { CsvFormat, GivenFormat } from './format.ts'
import { type ImportedFile, ImportedFiles } from './imported-files.ts'
import { type ImportedRows, importRows } from './imported-rows.ts'
import { resolvedTable } from './resolved-table.ts'
import { type OpenCsv, openCsv } from './rows.ts'
import { digestOf } from './source.ts'

export const IMPORT_MODES = ['append', 'upsert', 'replace'] as const
export type ImportMode = (typeof IMPORT_MODES)[number]

export interface CsvImport {
  /** A path, or `s3://bucket/key`. */
  readonly file: string
  readonly database: Database
  /** `table` or `schema.table`. */
  readonly table: string
  /** `append` (default) refuses a key that is there, `upsert` writes over it, `replace` empties the table before. */
  readonly mode?: ImportMode
  /** Columns by which an upsert finds rows; the primary key by default. */
  readonly by?: readonly string[]
  /** Append a file that has been imported before. */
  readonly again?: boolean
  /** Let a file without rows empty the table. */
  readonly allowEmpty?: boolean
  /** What of the file's format is known; the rest is found. */
  readonly given?: GivenFormat
  /** The names of the columns, in their order, where the first line is a row. */
  readonly header?: readonly string[]
  /** The first line names the columns, whatever it looks like. */
  readonly hasHeader?: boolean
  /** Lines above the header, or above the first row. */
  readonly skipLines?: number
  readonly onRows?: (rows: number) => void
  readonly signal?: AbortSignal
}

/** `read` equals `inserted + updated + unchanged + duplicate`: a row at fault refuses the file. */
export interface CsvImported extends ImportedRows {
  /** Rows that a replace has taken away. */
  readonly deleted: number
  readonly bytes: number
  readonly sha256: string
  readonly format: CsvFormat
  /** How the table was made, when there was none: as its model says, or with text columns alone. */
  readonly created: 'model' | 'text' | null
  readonly notes: readonly string[]
}

/**
 * Imports a CSV file with a header into a table, in one transaction: all rows or none. The values go through the casts
 * and rules of the model that is mapped to the table, or are held against the types of the live table. A missing table
 * is made as its model says, or with text columns, and is there when all rows are. Throws `Configuration` (file,
 * header, table, the same file once more), `ImportRefused` with the lines that are at fault, `Terminal`.
 */
export async function importCsv(given: CsvImport): Promise<CsvImported> {
  const { database, file } = given
  const adapter = await database.adapter()
  const resolved = await resolvedTable(database, given.table)
  const { model } = resolved
  const table = model?.definition.table ?? given.table
  const options = { ...given, table }
  await refuseMissingSchema(options, adapter)
  const live = await database.withConnection((connection) => connection.describe(table))
  const target: ImportTarget = { where: `${database.name}.${table}`, model, live, adapter }
  if (live === null) refuseKeyless(options, target)
  const known = columnNames(target)
  const csv = await openCsv(file, {
    ...(options.given === undefined ? {} : { given: options.given }),
    columns: known,
    header: options.header,
    hasHeader: options.hasHeader,
    skipLines: options.skipLines,
    signal: options.signal,
  })
  const columns = importedColumns(file, csv.header, target)
  const files = new ImportedFiles(database, resolved)
  await files.open()
  const notes = await notesOnRepeat(options, live, files, csv.bytes)
  const work = { options, target, columns, csv, files, notes }
  return live === null ? intoNewTable(work) : intoTable(work, table, live)
}

async function refuseMissingSchema({ database, table, file }: CsvImport, adapter: Adapter): Promise<void> {
  const { schema } = tableNameOf(table)
  if (schema === null) return
  const { sql, parameters } = compile(adapter, adapter.schema.schemaNamed(schema))
  if ((await database.query(sql, parameters)).rows.length > 0) return
  throw new ConfigurationError(
    `${file}: database ${database.name} has no schema "${schema}", or its user may not see it, so there is no table ${table} and nothing is imported; create the schema, grant it to the user, or correct --into.`,
  )
}

/** Throws `Configuration` where a table that is made would have no key by which an upsert finds its rows. */
function refuseKeyless({ mode, by }: CsvImport, { model, where }: ImportTarget): void {
  if (mode !== 'upsert') return
  const ofModel = model?.definition.primaryKey.map(({ column }) => column) ?? []
  const isKey =
    ofModel.length > 0 && (by === undefined || JSON.stringify([...by].sort()) === JSON.stringify([...ofModel].sort()))
  if (isKey) return
  const key = by === undefined ? '' : ` on ${by.join(', ')}`
  throw new ConfigurationError(
    `${where} is not there, and one that is made would have no key${key} by which an upsert finds its rows, so nothing is imported; leave --mode upsert out for the first import, or make the table with its key before.`,
  )
}

interface Work {
  readonly options: CsvImport
  readonly target: ImportTarget
  readonly columns: readonly ImportedColumn[]
  readonly csv: OpenCsv
  readonly files: ImportedFiles
  readonly notes: readonly string[]
}

/** Files of another length need not be read to know that they are others. */
async function notesOnRepeat(
  { file, table, database, mode, again, signal }: CsvImport,
  live: LiveTable | null,
  files: ImportedFiles,
  bytes: number,
): Promise<string[]> {
  if (live === null || !(await files.hasLength(bytes))) return []
  const before = await files.find(await digestOf(file, signal))
  if (before === null) return []
  const said = `the same file was imported into ${database.name}.${table} before, on ${before}`
  if (mode === 'upsert' || mode === 'replace' || again) return [said]
  throw new ConfigurationError(
    `${file}: ${said}, so nothing is imported; say --mode upsert to write over its rows, or --again to have them in the table once more.`,
  )
}

/** Where CREATE TABLE is part of the transaction; elsewhere the rows come into another table, which is then renamed. */
async function intoNewTable(work: Work): Promise<CsvImported> {
  const { database, table } = work.options
  const { model, adapter } = work.target
  const created = model === null ? 'text' : 'model'
  const make = (name: string) => makeTable(work, name)
  if (adapter.schema.isTransactional) {
    return database.transaction(async () => ({ ...(await intoTable(work, table, await make(table))), created }))
  }
  const next = nextTable(table)
  const run = (sql: string) => database.query(sql)
  const drop = () => run(`drop table if exists ${quoted(work, next)}`)
  await drop()
  try {
    const imported = await intoTable(work, next, await make(next))
    await run(`alter table ${quoted(work, next)} rename to ${quoted(work, table)}`)
    return { ...imported, created }
  } catch (error) {
    await drop().catch(() => {})
    throw error
  }
}

async function makeTable(work: Work, name: string): Promise<LiveTable> {
  const { target, options, columns } = work
  const { database } = options
  if (target.model !== null) {
    const { definition } = target.model
    await createTable({ database, definition: { ...definition, table: name } })
  } else {
    const type = target.adapter.schema.columnType(text().settings)
    const fields = columns.map(({ column }) => `${target.adapter.quote(column)} ${type}`)
    const { tableOptions } = target.adapter.schema
    await database.query(`create table ${quoted(work, name)} (${fields.join(', ')})${tableOptions}`).catch((error) => {
      if (!(error instanceof TerminalError)) throw error
      throw new TerminalError(
        `${options.file}: ${target.where} cannot be made with text columns of these names (${error.message}), so nothing is imported; make the table, or a model of it, and import again.`,
        { cause: error },
      )
    })
  }
  const live = await database.withConnection((connection) => connection.describe(name))
  const made = live?.columns.map((column) => column.name) ?? []
  const other = columns.find(({ column }) => !made.includes(column))
  if (live !== null && other === undefined) return live
  throw new ConfigurationError(
    `${options.file}: ${target.where} cannot have a column of the name ${JSON.stringify(named([other?.column ?? '']))}, so nothing is imported; give it a shorter one.`,
  )
}

async function intoTable(work: Work, table: string, live: LiveTable): Promise<CsvImported> {
  const { options, columns, csv, files } = work
  const { database, file, mode = 'append' } = options
  const into = mergeTarget(work, table, live)
  await files.prepare()
  return database.transaction(async () => {
    // Of no rows: whether the table takes any is known before one is deleted, where no transaction would give it back.
    if (mode === 'replace') await mergeBlocks(database, into, () => [])
    const deleted = mode === 'replace' ? await empty(work, table) : 0
    const rows = await importRows({ ...options, columns, target: into, rows: csv.rows })
    if (deleted > 0 && rows.read === 0 && !options.allowEmpty) {
      throw new ConfigurationError(
        `${file} has no rows and would leave ${work.target.where} empty, so its ${deleted} rows stay; say --allow-empty when that is right.`,
      )
    }
    const sha256 = csv.digest()
    const remembered = await remember(work, { file, sha256, bytes: csv.bytes, rows: rows.read, mode })
    const notes = [...work.notes, ...notesOn(csv, rows.read), ...(remembered === null ? [] : [remembered])]
    return { ...rows, deleted, bytes: csv.bytes, sha256, format: csv.format, created: null, notes }
  })
}

/** Throws `Configuration` where an import of the same file at the same time has ended in the meantime. */
async function remember({ options, target, files }: Work, imported: ImportedFile): Promise<string | null> {
  const { mode = 'append', again = false, file } = options
  if (imported.rows === 0) return null
  const isAlone = target.live === null || mode === 'replace'
  const { isNew, refusal } = await files.remember(imported, isAlone)
  if (isNew || refusal !== null || mode !== 'append' || again) return refusal
  throw new ConfigurationError(
    `${file}: the same file was imported into ${target.where} while this one was read, so nothing is imported; say --again to have its rows in the table once more.`,
  )
}

function notesOn(csv: OpenCsv, read: number): string[] {
  const empty = csv.emptyLines()
  return [
    ...(read === 0 ? ['the file has a header and no rows'] : []),
    ...(empty > 0 ? [`${empty === 1 ? 'an empty line was' : `${empty} empty lines were`} passed over`] : []),
  ]
}

function mergeTarget({ options, columns, target }: Work, table: string, live: LiveTable): ModelTarget {
  const { mode = 'append', by, file } = options
  const names = columns.map(({ column }) => column)
  const { model } = target
  const touched = (model?.definition.touched ?? []).map(({ column }) => column).filter((one) => !names.includes(one))
  const texts = columns.filter(({ isText }) => isText).map(({ column }) => column)
  const landed = model?.definition.landed ?? null
  const stamped = landed === null ? {} : { stamped: landed.column }
  const into = { table, columns: [...names, ...touched], texts, ignore: touched, ...stamped }
  if (mode !== 'upsert') return { ...into, key: [], mode: 'insert' }
  const ofModel = model?.definition.primaryKey.map(({ column }) => column) ?? []
  const key = by ?? (ofModel.length > 0 ? ofModel : live.primaryKey)
  if (key.length === 0) {
    throw new ConfigurationError(
      `${target.where} has no primary key, so an upsert cannot find its rows and nothing is imported; say which columns tell its rows apart, --by <column>, by a unique key of the table.`,
    )
  }
  const missing = key.filter((column) => !names.includes(column))
  if (missing.length > 0) {
    throw new ConfigurationError(
      `${file} has no column ${missing.join(', ')}, by which an upsert finds the rows of ${target.where}, so nothing is imported; add it to the file, or say other columns, --by <column>.`,
    )
  }
  const counter = model?.definition.lockVersion?.column
  return {
    ...into,
    key,
    mode: 'upsert',
    ...(counter === undefined || names.includes(counter) ? {} : { counter }),
  }
}

async function empty(work: Work, table: string): Promise<number> {
  const { database } = work.options
  const foreign = (await foreignKeysTo(database, table)).filter(({ isOwn }) => !isOwn)
  if (foreign.length > 0) {
    const referring = [...new Set(foreign.map((key) => key.table))].join(', ')
    throw new TerminalError(
      `${work.target.where} cannot be replaced, since ${referring} refers to it by a foreign key: its rows would be deleted or changed, too, so nothing is imported; say --mode upsert, which leaves the rows that stay.`,
    )
  }
  return (await database.query(`delete from ${quoted(work, table)}`)).affected
}

function quoted({ target }: Work, table: string): string {
  return tableParts(table)
    .map((part) => target.adapter.quote(part))
    .join('.')
}
