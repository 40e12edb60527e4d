import { isUtf8 } from 'node:buffer'
import type { CopyBlock, OpenBlocks } from '#dray/block/block.ts'
import { blockLines } from '#dray/block/block-lines.ts'
import { decodeLine } from '#dray/block/copy-text.ts'
import { bisect, type Refusal } from '#dray/database/merge/bisect.ts'
import { literal } from '../bind-literals.ts'
import { quote } from '../names.ts'
import { columnIn, errorNumber, isRowFault } from '../translate.ts'
import type { Loaded } from './load-data.ts'
import type { MergeSession } from './session.ts'
import { bytesOf } from './staged-columns.ts'
import type { Fault, StagingTable } from './staging-table.ts'

const BATCH_ROWS = 1_000
const BATCH_BYTES = 512 * 1024

const UNSHOWN =
  'The server warns of the row and does not show why: its max_error_count is too small. Raise it to see the reason.'

interface Tuple {
  readonly row: number
  readonly sql: string
  readonly bytes: number
}

/** Stages rows by INSERTs of many, in strict mode, and finds exactly those that the server would refuse or change. */
export class InsertLoader {
  readonly #session: MergeSession
  readonly #staging: StagingTable
  /** A packet holds the names of the columns, too. */
  readonly #maxRow: number
  readonly #loaded: { rows: number; faults: Map<number, Fault> } = { rows: 0, faults: new Map() }
  #batch: Tuple[] = []
  #bytes = 0

  constructor(session: MergeSession, staging: StagingTable) {
    this.#session = session
    this.#staging = staging
    this.#maxRow = session.facts.maxAllowedPacket - 1_024 - staging.columns.length * 260
  }

  async load(open: OpenBlocks): Promise<Loaded> {
    for await (const block of open() as AsyncIterable<CopyBlock>) {
      const lines = blockLines(block)
      for (let line = 0; line < lines.count; line++) {
        const tuple = this.#tupleOf(lines.text(line), isUtf8(lines.bytes(line, line + 1)))
        if (tuple === null) continue
        const isFull =
          this.#batch.length >= BATCH_ROWS || this.#bytes + tuple.bytes > Math.min(BATCH_BYTES, this.#maxRow)
        if (isFull) await this.#flush()
        this.#batch.push(tuple)
        this.#bytes += tuple.bytes
      }
    }
    await this.#flush()
    return this.#loaded
  }

  #tupleOf(line: string, isWhole: boolean): Tuple | null {
    const row = this.#loaded.rows++
    const { columns } = this.#staging
    const refuse = (fault: Fault) => {
      const { code, column, message } = fault
      this.#loaded.faults.set(row, { code, column, message })
      return null
    }
    if (!isWhole) return refuse({ code: '1300', column: null, message: 'The row is not valid UTF-8.' })
    const values = decodeLine(line)
    if (values.length !== columns.length) {
      const message = `The row has ${values.length} fields, and ${columns.length} columns are written.`
      return refuse({ code: '1261', column: null, message })
    }
    const loss = this.#staging.lossIn(values)
    if (loss !== null) return refuse(loss)
    const literals: string[] = [String(this.#staging.ordinalOf(row))]
    for (const [index, column] of columns.entries()) {
      const text = values[index] ?? null
      if (text !== null && column.given?.refuses(text)) return refuse(column.given)
      literals.push(literal(text !== null && column.isBinary ? bytesOf(text) : text))
    }
    const sql = `(${literals.join(',')})`
    const bytes = Buffer.byteLength(sql)
    if (bytes <= this.#maxRow) return { row, sql, bytes }
    const message = `The row is longer than max_allowed_packet (${this.#maxRow} bytes are left of it for a row) of the server.`
    return refuse({ code: '1153', column: null, message })
  }

  async #flush(): Promise<void> {
    const batch = this.#batch
    this.#batch = []
    this.#bytes = 0
    await bisect<Fault>(
      batch.length,
      (from, to) => this.#attempt(batch.slice(from, to), from),
      (index, fault) => this.#loaded.faults.set((batch[index] as Tuple).row, fault),
    )
  }

  async #attempt(tuples: readonly Tuple[], from: number): Promise<Refusal<Fault> | null> {
    const names = this.#staging.columns.map(({ name }) => quote(name))
    const sql = `INSERT INTO ${this.#staging.table} (${[this.#staging.ordinal, ...names].join(', ')}) VALUES ${tuples.map((tuple) => tuple.sql).join(',')}`
    const refusal = await refusalOf(this.#session, sql)
    if (refusal === null) return null
    // The staging table has no transactions: what was inserted before the bad row is still there.
    await this.#staging.remove(tuples.map(({ row }) => row))
    const row = /(?<= at row )\d+$/.exec(refusal.message)?.[0]
    const at = row === undefined ? null : from + Number(row) - 1
    return { error: this.#staging.faultOf(refusal.code, refusal.message), at }
  }
}

/** Runs a write; returns why a row was refused, or would have been changed, or null. */
export async function refusalOf(
  session: MergeSession,
  sql: string,
  onReply: (counts: { affected: number; records: number; duplicates: number }) => void = () => {},
): Promise<Fault | null> {
  try {
    const reply = await session.run(sql, { signal: session.signal })
    if (reply.warnings > 0) {
      const { rows } = await session.run('SHOW WARNINGS')
      const [, code, message] = rows.find(([, number]) => isRowFault(Number(number))) ?? []
      if (code && message) return { code, column: columnIn(message), message }
      // One that is not shown may say that a value was changed.
      if (rows.length < reply.warnings) return { code: '1265', column: null, message: UNSHOWN }
    }
    onReply({ affected: reply.affected, ...reply.counts })
    return null
  } catch (error) {
    const number = errorNumber(error)
    if (!isRowFault(number)) throw error
    const { message } = error as Error
    return { code: String(number), column: columnIn(message), message }
  }
}
