import { Readable } from 'node:stream'
import type { CopyBlock, OpenBlocks } from '#dray/block/block.ts'
import { FittingBlocks } from '#dray/database/merge/fitting-blocks.ts'
import { probedKeys } from '#dray/database/merge/probed-keys.ts'
import type { MergeTarget } from '../../adapter.ts'
import { literal } from '../bind-literals.ts'
import type { MysqlTable } from '../describe.ts'
import { quote, quoteTable } from '../names.ts'
import { errorNumber, isRowFault, lacksCharacters } from '../translate.ts'
import { fittingRows } from './fitting-values.ts'
import { NOT_ALLOWED, packetsOf, ROW_FORMAT } from './load-data.ts'
import type { MergeSession } from './session.ts'
import type { TargetTable } from './target-table.ts'

const SAVEPOINT = '`dray_straight`'

/**
 * Loads rows straight into the table, without a temporary one: right where no key is in the table or comes twice, and
 * no value would be changed. LOAD DATA LOCAL warns of each row that is not like that; one warning undoes it all. Null
 * then, and when it is not to be tried; else the rows that were inserted.
 */
export async function loadStraight(
  session: MergeSession,
  target: MergeTarget,
  live: TargetTable,
  open: OpenBlocks,
): Promise<number | null> {
  const fits = fittingRows(session, target, live)
  if (fits === null || mayLackKeys(target, live) || live.hasInsertTrigger) return null
  const blocks = new FittingBlocks(open(), fits)
  try {
    const first = await blocks.first()
    if (first === null || (await countOf(session, target, first)).found > 0) return null
    await session.run(`SAVEPOINT ${SAVEPOINT}`)
    const into = quoteTable(target.table)
    const loaded = await loadFitting(session, into, target.columns, blocks)
    // Those who may not see triggers cannot tell whether one changes keys: some are looked up again.
    const { found, asked } = live.mayHaveTriggers ? await countOf(session, target, first) : { found: 0, asked: 0 }
    const inserted = found === asked ? loaded : null
    if (inserted === null) await session.run(`ROLLBACK TO SAVEPOINT ${SAVEPOINT}`)
    await session.run(`RELEASE SAVEPOINT ${SAVEPOINT}`)
    return inserted
  } finally {
    // A lost connection must not leave the rows' file open.
    await blocks.close()
  }
}

/** A NULL is equal to nothing, so the table would take such a row again and again. */
function mayLackKeys({ key, mode }: MergeTarget, live: MysqlTable): boolean {
  return mode !== 'insert' && live.columns.some(({ name, nullable }) => nullable && key.includes(name))
}

/** The rows that were loaded; null when the server refused or warned of one, or when a block was held back. */
export async function loadFitting(
  session: MergeSession,
  into: string,
  columns: readonly string[],
  blocks: FittingBlocks,
): Promise<number | null> {
  const sql = `LOAD DATA LOCAL INFILE 'rows' INTO TABLE ${into} ${ROW_FORMAT} (${columns.map(quote).join(', ')})`
  let thrown: { readonly error: unknown } | null = null
  const file = async function* () {
    try {
      for await (const bytes of blocks) yield* packetsOf(bytes, session)
    } catch (error) {
      thrown = { error }
      throw error
    }
  }
  const reply = await session
    .run(sql, { signal: session.signal, file: () => Readable.from(file(), { objectMode: true, highWaterMark: 1 }) })
    .catch((error: unknown) => {
      if (thrown !== null) throw thrown.error
      const number = errorNumber(error)
      if (number !== undefined && (NOT_ALLOWED.has(number) || isRowFault(number))) return null
      throw error
    })
  if (reply === null || blocks.refused || reply.warnings > 0 || reply.affected !== blocks.rows) return null
  return blocks.rows
}

/** How many of some keys of a block the table has. */
async function countOf(
  session: MergeSession,
  target: MergeTarget,
  block: CopyBlock,
): Promise<{ readonly found: number; readonly asked: number }> {
  const keys = probedKeys(target, block).filter((values) => !values.includes(null))
  if (keys.length === 0) return { found: 0, asked: 0 }
  const conditions = keys.map(
    (values) =>
      `(${target.key.map((column, index) => `${quote(column)} = ${literal(values[index] ?? '')}`).join(' AND ')})`,
  )
  const table = quoteTable(target.table)
  try {
    const { rows } = await session.run(`SELECT COUNT(*) FROM ${table} WHERE ${conditions.join(' OR ')}`)
    return { found: Number(rows[0]?.[0]), asked: keys.length }
  } catch (error) {
    // A key that the column cannot hold is refused by itself on the longer way.
    if (lacksCharacters(error)) return { found: 0, asked: keys.length }
    throw error
  }
}
