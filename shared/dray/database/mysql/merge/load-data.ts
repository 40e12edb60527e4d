import { Readable } from 'node:stream'
import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import { quote } from '../names.ts'
import { errorNumber, isRowFault } from '../translate.ts'
import type { MergeSession } from './session.ts'
import type { StagedColumn } from './staged-columns.ts'
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

/** An empty packet would be the end of the file, one of 16 MiB or more the start of a longer one. */
export function* packetsOf(bytes: Buffer): Generator<Buffer> {
  for (let start = 0; start < bytes.length; start += 1 << 20) yield bytes.subarray(start, start + (1 << 20))
}

/** Counts the rows of blocks while they pass. */
class CountedBlocks {
  rows = 0
  error: unknown = null
  readonly #open: OpenBlocks

  constructor(open: OpenBlocks) {
    this.#open = open
  }

  file(): Readable {
    return Readable.from(this.#bytes(), { objectMode: true, highWaterMark: 1 })
  }

  async *#bytes(): AsyncGenerator<Buffer> {
    try {
      for await (const block of this.#open() as AsyncIterable<CopyBlock>) {
        this.rows += block.rows
        yield* packetsOf(block.bytes)
      }
    } catch (error) {
      this.error = error
      throw error
    }
  }
}

/**
 * Streams COPY text into the staging table by LOAD DATA LOCAL, which stores something else for what does not fit and
 * warns: rows with a warning are taken out again and returned as faults. Null when it cannot be told which rows they
 * are, or when the server takes no files.
 */
export async function loadData(session: MergeSession, staging: StagingTable, open: OpenBlocks): Promise<Loaded | null> {
  const blocks = new CountedBlocks(open)
  const reply = await session
    .load(statement(staging), { signal: session.signal, file: () => blocks.file() })
    .catch((error) => {
      if (blocks.error !== null) throw blocks.error
      const number = errorNumber(error)
      if (number !== undefined && (NOT_ALLOWED.has(number) || isRowFault(number))) return null
      throw error
    })
  if (reply === null) return null
  const faults: Faults = new Map()
  if (reply.warnings === 0) return { rows: blocks.rows, faults }
  const { rows: warnings } = await session.run('SHOW WARNINGS')
  if (warnings.length !== reply.warnings || !collect(warnings, faults, staging)) return null
  await staging.remove(faults.keys())
  return { rows: blocks.rows, faults }
}

function statement(staging: StagingTable): string {
  const { columns, checked } = staging
  const variable = (column: StagedColumn) => `@dray_${columns.indexOf(column)}`
  const fields = columns.map((column) => (column.given === null ? quote(column.name) : variable(column)))
  const values = checked.map((column) => {
    const text = variable(column)
    return `${quote(column.name)} = ${column.isBinary ? `UNHEX(SUBSTR(${text}, 3))` : text}`
  })
  const flags = checked.map(
    (column) => `WHEN ${column.given?.condition(variable(column))} THEN ${columns.indexOf(column)}`,
  )
  const set = checked.length === 0 ? '' : ` SET ${values.join(', ')}, ${staging.flag} = CASE ${flags.join(' ')} END`
  return `LOAD DATA LOCAL INFILE 'rows' INTO TABLE ${staging.table} ${ROW_FORMAT} (${fields.join(', ')})${set}`
}

/** Reads level, code and message of each warning; false when one does not say its row. */
function collect(warnings: readonly (readonly Text[])[], faults: Faults, staging: StagingTable): boolean {
  for (const [, code, message] of warnings as readonly (readonly [Text, string, string])[]) {
    const row = (ROW_FIRST.has(code) ? /\d+/ : /(?<=\D)\d+$/).exec(message)?.[0]
    if (row === undefined) return false
    const place = Number(row) - 1
    if (!faults.has(place)) faults.set(place, staging.faultOf(code, message))
  }
  return true
}
