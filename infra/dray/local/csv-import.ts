import type { Database } from 'dray/internal/active-record/database.ts'
import { text } from 'dray/internal/active-record/field-kinds.ts'
import type { CopyBlock } from 'dray/internal/block/block.ts'
import { BlockEncoder } from 'dray/internal/block/copy-text.ts'
import type { Adapter, MergeTarget } from 'dray/internal/database/adapter.ts'
import { ConfigurationError, TerminalError } from 'dray/internal/errors.ts'
import { type CsvRow, csvRows } from './csv-rows.ts'

export interface CsvImport {
  readonly file: string
  readonly database: Database
  readonly table: string
  readonly onRows?: (rows: number) => void
  readonly signal?: AbortSignal
}

export interface CsvImported {
  readonly rows: number
  /** How the table was made, when there was none: as its model says, or with text columns alone. */
  readonly created: 'model' | 'text' | null
}

const ROWS_AT_MOST = 10_000
const CHARACTERS_AT_MOST = 4_000_000

/**
 * Imports a CSV file with a header into a table, in one transaction: all rows or none. A missing table is made from the
 * model mapped to it, or with text columns. Throws `Configuration` (file, header, table), `Terminal` with the line.
 */
export async function importCsv(options: CsvImport): Promise<CsvImported> {
  const { file, database } = options
  const rows = csvRows(file)
  const first = await rows.next()
  if (first.done)
    throw new ConfigurationError(`${file} is empty, so nothing is imported; its first line must name the columns.`)
  const columns = columnsOf(file, first.value)
  const created = await ensureTable(options, columns)
  await checkColumns(options, columns)
  const imported = await database.transaction(async () => {
    let count = 0
    for await (const batch of batches(rows)) {
      options.signal?.throwIfAborted()
      await insertBatch(options, columns, batch)
      count += batch.length
      options.onRows?.(count)
    }
    return count
  })
  return { rows: imported, created }
}

function columnsOf(file: string, header: CsvRow): readonly string[] {
  const names = header.fields.map((field) => (field ?? '').trim())
  const blank = names.indexOf('')
  if (blank >= 0) {
    throw new ConfigurationError(
      `${file}: column ${blank + 1} of the header has no name; the first line must name the columns.`,
    )
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined)
    throw new ConfigurationError(`${file}: the header names the column ${twice} twice; rename one.`)
  return names
}

async function ensureTable(options: CsvImport, columns: readonly string[]): Promise<CsvImported['created']> {
  const { database, table } = options
  if (await database.withConnection((connection) => connection.describe(table))) return null
  const model = database.models.find(({ definition }) => definition.table === table)
  if (model) {
    await model.createTable()
    return 'model'
  }
  await database.withConnection(async (connection, adapter) => {
    const type = adapter.schema.columnType(text().settings)
    const fields = columns.map((column) => `${adapter.quote(column)} ${type}`)
    await connection.query(`create table ${quoted(adapter, table)} (${fields.join(', ')})`)
  })
  return 'text'
}

async function checkColumns({ file, database, table }: CsvImport, columns: readonly string[]): Promise<void> {
  const live = await database.withConnection((connection) => connection.describe(table))
  const known = live?.columns.map(({ name }) => name) ?? []
  const unknown = columns.filter((column) => !known.includes(column))
  if (unknown.length === 0) return
  throw new ConfigurationError(
    `${file}: ${database.name}.${table} has no column ${unknown.join(', ')}, so nothing is imported; its columns are ${known.join(', ')}.`,
  )
}

async function* batches(rows: AsyncIterable<CsvRow>): AsyncGenerator<readonly CsvRow[]> {
  let batch: CsvRow[] = []
  let characters = 0
  for await (const row of rows) {
    batch.push(row)
    for (const field of row.fields) characters += field?.length ?? 0
    if (batch.length < ROWS_AT_MOST && characters < CHARACTERS_AT_MOST) continue
    yield batch
    batch = []
    characters = 0
  }
  if (batch.length > 0) yield batch
}

/** Inserts the batch as a load does: no value that the table would change. Names the first line at fault. */
async function insertBatch(options: CsvImport, columns: readonly string[], batch: readonly CsvRow[]): Promise<void> {
  const { database, file, table } = options
  const target: MergeTarget = { table, columns, key: [], mode: 'insert' }
  const { rejected } = await database.withConnection((connection) => connection.merge(target, () => blocksOf(batch)))
  const [first] = [...rejected].sort((one, other) => one.row - other.row)
  if (first === undefined) return
  const of = first.column === null ? '' : `${first.column}: `
  throw new TerminalError(
    `${file}, line ${batch[first.row]?.line}: ${of}${first.message}; nothing is imported. Correct the line or the table.`,
  )
}

function* blocksOf(rows: readonly CsvRow[]): Generator<CopyBlock> {
  const encoder = new BlockEncoder()
  for (const { fields } of rows) {
    const block = encoder.push(fields)
    if (block !== null) yield block
  }
  const last = encoder.flush()
  if (last !== null) yield last
}

function quoted(adapter: Adapter, table: string): string {
  return table
    .split('.')
    .map((part) => adapter.quote(part))
    .join('.')
}
