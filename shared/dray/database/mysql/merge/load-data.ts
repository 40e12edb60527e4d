import { Readable } from 'node:stream'
import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import { blockLines } from '#dray/block/block-lines.ts'
import { decodeLine } from '#dray/block/copy-text.ts'
import { quote } from '../names.ts'
import { errorNumber, isRowFault } from '../translate.ts'
import type { MergeSession } from './session.ts'
import { type StagedColumn, unhexed } from './staged-columns.ts'
import type { Faults, StagingTable } from './staging-table.ts'

/** The server or a proxy does not take files from clients: 1148, 3948 (MySQL), 4166 (MariaDB). */
export const NOT_ALLOWED = new Set([1148, 2068, 3948, 4166])
/** The message names the row first, not last. */
const ROW_FIRST = new Set(['1261', '1262'])

export interface Loaded {
  readonly rows: number
  readonly faults: Faults
}

/** COPY text. The escape is written as a number: a backslash in quotes is another string under NO_BACKSLASH_ESCAPES. */
export const ROW_FORMAT = `CHARACTER SET utf8mb4
    FIELDS TERMINATED BY 0x09 ENCLOSED BY '' ESCAPED BY 0x5C LINES TERMINATED BY 0x0A`

const PACKET_BYTES = 1 << 20

/**
 * An empty packet would be the end of the file, one of 16 MiB or more the start of a longer one, and one of
 * max_allowed_packet would be refused in the middle of the file.
 */
export function* packetsOf(bytes: Buffer, { facts }: Pick<MergeSession, 'facts'>): Generator<Buffer> {
  const size = Math.min(PACKET_BYTES, Math.floor(facts.maxAllowedPacket / 2))
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size)
}

/** Rows of blocks from one place on, counted and looked at while they pass. */
class PassingBlocks {
  rows = 0
  error: unknown = null
  readonly faults: Faults = new Map()
  readonly from: number
  readonly #most: number
  readonly #open: OpenBlocks
  readonly #staging: StagingTable
  readonly #session: MergeSession

  constructor(
    session: MergeSession,
    open: OpenBlocks,
    staging: StagingTable,
    { from, most }: { from: number; most: number },
  ) {
    this.#session = session
    this.#open = open
    this.#staging = staging
    this.from = from
    this.#most = most
  }

  file(): Readable {
    return Readable.from(this.#bytes(), { objectMode: true, highWaterMark: 1 })
  }

  async *#bytes(): AsyncGenerator<Buffer> {
    let place = 0
    try {
      for await (const block of this.#open() as AsyncIterable<CopyBlock>) {
        const start = Math.max(this.from - place, 0)
        const count = Math.min(block.rows - start, this.#most - this.rows)
        place += block.rows
        if (count <= 0 && this.rows >= this.#most) return
        if (count <= 0) continue
        const bytes = count === block.rows ? block.bytes : blockLines(block).bytes(start, start + count)
        this.#look({ bytes, rows: count })
        this.rows += count
        yield* packetsOf(bytes, this.#session)
      }
    } catch (error) {
      this.error = error
      throw error
    }
  }

  #look(block: CopyBlock): void {
    if (this.#staging.looked.length === 0) return
    const lines = blockLines(block)
    for (let line = 0; line < lines.count; line++) {
      const loss = this.#staging.lossIn(decodeLine(lines.text(line)))
      if (loss !== null) this.faults.set(this.from + this.rows + line, loss)
    }
  }
}

/**
 * Streams COPY text into the staging table by LOAD DATA LOCAL, which stores something else for what does not fit and
 * warns: rows with a warning are taken out again and returned as faults. Null when it cannot be told which rows they
 * are, or when the server takes no files.
 */
export async function loadData(session: MergeSession, staging: StagingTable, open: OpenBlocks): Promise<Loaded | null> {
  const first = await pass(session, staging, new PassingBlocks(session, open, staging, { from: 0, most: Infinity }))
  if (first === null) return null
  const { rows, faults, judged } = first
  if (judged < rows && !(await judgeLater(session, staging, open, first))) return null
  await staging.remove(faults.keys())
  return { rows, faults }
}

interface Pass extends Loaded {
  /** Up to which place it is known which rows are faults. */
  readonly judged: number
}

async function pass(session: MergeSession, staging: StagingTable, blocks: PassingBlocks): Promise<Pass | null> {
  const reply = await session
    .run(statement(staging), { signal: session.signal, file: () => blocks.file() })
    .catch((error) => {
      if (blocks.error !== null) throw blocks.error
      const number = errorNumber(error)
      if (number !== undefined && (NOT_ALLOWED.has(number) || isRowFault(number))) return null
      throw error
    })
  if (reply === null) return null
  const { rows, faults, from } = blocks
  if (reply.warnings === 0) return { rows, faults, judged: from + rows }
  const { rows: warnings } = await session.run('SHOW WARNINGS')
  const last = collect(warnings, faults, staging, from)
  if (last === null) return null
  return { rows, faults, judged: warnings.length === reply.warnings ? from + rows : last + 1 }
}

/** A server keeps so many warnings and no more: later rows are judged by loading them again, into another table. */
async function judgeLater(
  session: MergeSession,
  staging: StagingTable,
  open: OpenBlocks,
  { rows, faults, judged }: Pass,
): Promise<boolean> {
  const probe = staging.sibling()
  try {
    for (let from = judged, most = judged * 2; from < rows; ) {
      await probe.create()
      const found = await pass(session, probe, new PassingBlocks(session, open, probe, { from, most }))
      if (found === null || found.judged <= from) return false
      for (const [place, fault] of found.faults) faults.set(place, fault)
      most = (found.judged - from) * 2
      from = found.judged
    }
    return true
  } finally {
    await probe.drop().catch(() => {})
  }
}

function statement(staging: StagingTable): string {
  const { columns, checked } = staging
  const variable = (column: StagedColumn) => `@dray_${columns.indexOf(column)}`
  const fields = columns.map((column) => (column.given === null ? quote(column.name) : variable(column)))
  const values = checked.map((column) => {
    const text = variable(column)
    return `${quote(column.name)} = ${column.isBinary ? unhexed(text) : text}`
  })
  const flags = checked.map(
    (column) => `WHEN ${column.given?.condition(variable(column))} THEN ${columns.indexOf(column)}`,
  )
  const set = checked.length === 0 ? '' : ` SET ${values.join(', ')}, ${staging.flag} = CASE ${flags.join(' ')} END`
  return `LOAD DATA LOCAL INFILE 'rows' INTO TABLE ${staging.table} ${ROW_FORMAT} (${fields.join(', ')})${set}`
}

/** Reads level, code and message of each warning; returns the last place, or null when one does not say its row. */
function collect(
  warnings: readonly (readonly Text[])[],
  faults: Faults,
  staging: StagingTable,
  from: number,
): number | null {
  let last: number | null = null
  for (const [, code, message] of warnings as readonly (readonly [Text, string, string])[]) {
    const row = (ROW_FIRST.has(code) ? /\d+/ : /(?<=\D)\d+$/).exec(message)?.[0]
    if (row === undefined) return null
    last = from + Number(row) - 1
    if (!faults.has(last)) faults.set(last, staging.faultOf(code, message))
  }
  return last
}
