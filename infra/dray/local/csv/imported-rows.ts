import { type ModelTarget, mergeBlocks } from 'dray/internal/active-record/bulk.ts'
import type { Database } from 'dray/internal/active-record/database.ts'
import type { CopyBlock, Text } from 'dray/internal/block/block.ts'
import { BlockEncoder, encodeLine } from 'dray/internal/block/copy-text.ts'
import { DataQualityError, TerminalError } from 'dray/internal/errors.ts'
import type { ImportedColumn } from './columns.ts'
import type { CsvRow } from './rows.ts'

/** What became of the rows, in the terms of a run. */
export interface ImportedRows {
  readonly read: number
  readonly inserted: number
  readonly updated: number
  readonly unchanged: number
  readonly duplicate: number
}

/** A row that the model or the table refuses. */
export interface RowAtFault {
  readonly line: number
  readonly column: string | null
  readonly message: string
}

/** Rows are at fault, so the whole file is refused. `rows` are the first of them. */
export class ImportRefused extends TerminalError {
  readonly rows: readonly RowAtFault[]
  readonly read: number

  constructor(file: string, rows: readonly RowAtFault[], read: number) {
    super(refusal(file, rows))
    this.rows = rows
    this.read = read
  }
}

interface RowsToImport {
  readonly file: string
  readonly database: Database
  readonly columns: readonly ImportedColumn[]
  readonly target: ModelTarget
  readonly rows: AsyncIterable<CsvRow>
  readonly onRows?: (rows: number) => void
  readonly signal?: AbortSignal
}

const ROWS_AT_MOST = 50_000
const CHARACTERS_AT_MOST = 16_000_000
/** More are not told, and the file is read no further. */
const FAULTS_AT_MOST = 100
/** Rows that wait for later ones, the parents to which they refer. */
const WAITING_AT_MOST = 10_000

interface Line {
  readonly line: number
  /** As COPY text. */
  readonly text: string
}

/**
 * Writes the rows in the open transaction, batch by batch. A row that the table refuses waits until the others are
 * there, as far as it is new. Throws `ImportRefused` with the rows that stay out.
 */
export async function importRows(work: RowsToImport): Promise<ImportedRows> {
  return new Import(work).run()
}

class Import {
  readonly #work: RowsToImport
  readonly #touched: readonly Text[]
  readonly #faults: RowAtFault[] = []
  readonly #counts = { read: 0, inserted: 0, updated: 0, unchanged: 0, duplicate: 0 }
  #waiting: (Line & { readonly why: RowAtFault })[] = []

  constructor(work: RowsToImport) {
    this.#work = work
    const now = new Date().toISOString().replace('T', ' ').replace('Z', '')
    this.#touched = work.target.columns.slice(work.columns.length).map(() => now)
  }

  async run(): Promise<ImportedRows> {
    for await (const batch of this.#batches()) {
      this.#work.signal?.throwIfAborted()
      await this.#write(batch)
      this.#work.onRows?.(this.#counts.read)
      if (this.#faults.length >= FAULTS_AT_MOST) break
    }
    await this.#writeWaiting()
    const { file } = this.#work
    const { read, inserted, updated, unchanged, duplicate } = this.#counts
    if (this.#faults.length > 0) {
      throw new ImportRefused(
        file,
        this.#faults.sort((one, other) => one.line - other.line),
        read,
      )
    }
    if (read !== inserted + updated + unchanged + duplicate) {
      throw new TerminalError(
        `${file}: read ${read} rows, but inserted ${inserted}, updated ${updated}, unchanged ${unchanged} and duplicate ${duplicate} are not as many, so nothing is imported; look for a trigger or a rule on the table.`,
      )
    }
    return this.#counts
  }

  async *#batches(): AsyncGenerator<readonly Line[]> {
    let batch: Line[] = []
    let characters = 0
    for await (const row of this.#work.rows) {
      this.#counts.read += 1
      const line = this.#encoded(row)
      if (line === null) {
        if (this.#faults.length >= FAULTS_AT_MOST) break
        continue
      }
      batch.push(line)
      characters += line.text.length
      if (batch.length < ROWS_AT_MOST && characters < CHARACTERS_AT_MOST) continue
      yield batch
      batch = []
      characters = 0
    }
    if (batch.length > 0) yield batch
  }

  #encoded({ line, fields }: CsvRow): Line | null {
    const { columns } = this.#work
    const texts: Text[] = []
    for (let index = 0; index < columns.length; index++) {
      const column = columns[index] as ImportedColumn
      try {
        texts.push(column.textOf(fields[index] ?? null))
      } catch (error) {
        if (!(error instanceof DataQualityError)) throw error
        this.#faults.push({ line, column: column.column, message: error.message })
        return null
      }
    }
    texts.push(...this.#touched)
    return { line, text: encodeLine(texts) }
  }

  async #write(batch: readonly Line[]): Promise<void> {
    const { database, target } = this.#work
    const { rejected, ...written } = await mergeBlocks(database, target, () => blocksOf(batch))
    for (const term of ['inserted', 'updated', 'unchanged', 'duplicate'] as const) this.#counts[term] += written[term]
    for (const { row, column, message } of rejected) {
      const { line, text } = batch[row] as Line
      const why = { line, column, message: column === null ? message : `${column}: ${message}` }
      // In an upsert a later row of the same key may have come since, which an older one must not overwrite.
      const mayWait = target.mode === 'insert' && this.#waiting.length < WAITING_AT_MOST
      if (mayWait) this.#waiting.push({ line, text, why })
      else this.#faults.push(why)
    }
  }

  async #writeWaiting(): Promise<void> {
    for (let before = Number.POSITIVE_INFINITY; this.#waiting.length > 0; ) {
      const again = this.#waiting
      this.#waiting = []
      if (again.length === before || this.#faults.length > 0) {
        this.#faults.push(...again.map(({ why }) => why))
        return
      }
      before = again.length
      await this.#write(again)
    }
  }
}

function* blocksOf(lines: readonly Line[]): Generator<CopyBlock> {
  const encoder = new BlockEncoder()
  for (const { text } of lines) {
    const block = encoder.pushLine(text)
    if (block !== null) yield block
  }
  const last = encoder.flush()
  if (last !== null) yield last
}

function refusal(file: string, rows: readonly RowAtFault[]): string {
  const [first, ...others] = rows
  const lines = others.slice(0, 9).map(({ line }) => line)
  const more = others.length > lines.length ? ' and more' : ''
  const alsoAt = lines.length === 0 ? '' : `; at fault as well: line ${lines.join(', ')}${more}`
  return `${file}, line ${first?.line}: ${first?.message}${alsoAt}; nothing is imported. Correct the file or the table; --json lists the lines.`
}
