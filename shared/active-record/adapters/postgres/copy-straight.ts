import type { CopyBlock, MergeTarget, Text } from '../../adapter.ts'
import { decodeLine } from '../../copy-text.ts'
import { blockLines } from '../block-lines.ts'
import { fittingRows } from './fitting-values.ts'
import type { MergeCounts, MergeSession, OpenBlocks } from './merge.ts'
import { quote, quoteTable } from './names.ts'
import type { NarrowColumn } from './narrow-columns.ts'

/** Keys of the first block that are looked up before it is believed that all are new. */
const PROBED_KEYS = 32

/** What a COPY into the table would do otherwise than an INSERT: rules, row security and views. Columns that are never NULL. */
const PLAIN_TABLE = `
  SELECT a.attname
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
  WHERE c.oid = to_regclass($1) AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity AND NOT c.relhasrules
    AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull`

/**
 * Copies rows straight into the table, without a temporary one: right where no key is in the table or comes twice, and no value
 * would be changed. Null when it is not to be tried, or when the rows turn out not to be like that; the caller undoes what was
 * copied. Throws what the server refuses: a key that is there already, among others.
 */
export async function copyStraight(
  session: MergeSession,
  target: MergeTarget,
  narrow: readonly NarrowColumn[],
  open: OpenBlocks,
): Promise<MergeCounts | null> {
  const fits = fittingRows(target.columns, narrow)
  if (fits === null || !(await isPlain(session, target))) return null
  const blocks = iteratorOf(open())
  const first = await blocks.next()
  // The keys are looked up before the COPY has the connection.
  if (first.done || !fits(first.value.bytes) || (await hasSome(session, target, first.value))) {
    await blocks.return?.()
    return null
  }
  const passed = new FittingBlocks(first.value, blocks, fits)
  const sql = `COPY ${quoteTable(target.table)} (${target.columns.map(quote).join(', ')}) FROM STDIN`
  const copied = await session.copyIn(sql, passed.bytes()).catch((error: unknown) => {
    if (passed.refused) return null
    throw error
  })
  // A trigger may leave rows out.
  return copied === null ? null : { inserted: copied, updated: 0, unchanged: passed.rows - copied, duplicate: 0 }
}

async function isPlain(session: MergeSession, { table, key, mode }: MergeTarget): Promise<boolean> {
  const { rows } = await session.run(PLAIN_TABLE, [quoteTable(table)])
  if (rows.length === 0) return false
  const neverNull = new Set(rows.map(([name]) => name))
  return mode === 'insert' || key.every((column) => neverNull.has(column))
}

type Blocks = AsyncIterator<CopyBlock> | Iterator<CopyBlock>

function iteratorOf(blocks: AsyncIterable<CopyBlock> | Iterable<CopyBlock>): Blocks {
  return Symbol.asyncIterator in blocks ? blocks[Symbol.asyncIterator]() : blocks[Symbol.iterator]()
}

/** Whether the table has some of a block's keys, which stand for the others. */
async function hasSome(
  session: MergeSession,
  { table, key, columns }: MergeTarget,
  block: CopyBlock,
): Promise<boolean> {
  if (key.length === 0) return false
  const places = key.map((column) => columns.indexOf(column))
  const lines = blockLines(block)
  const values: Text[] = []
  const keys: string[] = []
  for (let line = 0; line < lines.count; line += Math.ceil(lines.count / PROBED_KEYS)) {
    const fields = decodeLine(lines.text(line))
    const parts = key.map((column, index) => {
      values.push(fields[places[index] as number] ?? null)
      return `${quote(column)} = $${values.length}`
    })
    keys.push(`(${parts.join(' AND ')})`)
  }
  const { rows } = await session.run(
    `SELECT EXISTS (SELECT 1 FROM ${quoteTable(table)} WHERE ${keys.join(' OR ')})`,
    values,
  )
  return rows[0]?.[0] === 't'
}

/** Blocks on their way into a COPY, counted; ends it with an error at the first that may not fit. */
class FittingBlocks {
  rows = 0
  refused = false
  readonly #first: CopyBlock
  readonly #rest: Blocks
  readonly #fits: (bytes: Buffer) => boolean

  constructor(first: CopyBlock, rest: Blocks, fits: (bytes: Buffer) => boolean) {
    this.#first = first
    this.#rest = rest
    this.#fits = fits
  }

  async *bytes(): AsyncGenerator<Buffer> {
    try {
      this.rows += this.#first.rows
      yield this.#first.bytes
      for (let next = await this.#rest.next(); !next.done; next = await this.#rest.next()) {
        if (!this.#fits(next.value.bytes)) {
          this.refused = true
          throw new Error('A value may not fit its column.')
        }
        this.rows += next.value.rows
        yield next.value.bytes
      }
    } finally {
      await this.#rest.return?.()
    }
  }
}
