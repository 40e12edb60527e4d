import type { CopyBlock, OpenBlocks } from '#dray/block/block.ts'
import { FittingBlocks } from '#dray/database/merge/fitting-blocks.ts'
import { probedKeys } from '#dray/database/merge/probed-keys.ts'
import type { MergeTarget } from '../../adapter.ts'
import { quote, quoteTable } from '../names.ts'
import type { MergeCounts } from './counts.ts'
import { fittingRows } from './fitting-values.ts'
import type { Merging } from './merging.ts'
import type { MergeSession } from './session.ts'
import type { TargetTable } from './target-table.ts'

/**
 * Copies rows straight into the table, without a temporary one: right where no key is in the table or comes twice, and
 * no value would be changed. Null when it is not to be tried, or when the rows turn out not to be like that; the caller
 * undoes what was copied. Throws what the server refuses: a key that is there already, among others.
 */
export async function copyStraight(
  session: MergeSession,
  { target, table, narrow }: Merging,
  open: OpenBlocks,
): Promise<MergeCounts | null> {
  const fits = fittingRows(target.columns, narrow)
  if (fits === null || !isCopied(target, table)) return null
  const blocks = new FittingBlocks(open(), fits)
  try {
    const first = await blocks.first()
    // The keys are looked up before the COPY has the connection.
    // A NUL cannot be bound; the longer way says which row holds it.
    if (first === null || first.bytes.includes(0) || (await hasSome(session, target, first))) return null
    const sql = `COPY ${quoteTable(target.table)} (${target.columns.map(quote).join(', ')}) FROM STDIN`
    const copied = await session.copyIn(sql, blocks)
    // A trigger may drop rows.
    const isWhole = !blocks.refused && copied === blocks.rows
    return isWhole ? { inserted: copied, updated: 0, unchanged: 0, duplicate: 0 } : null
  } finally {
    // A lost connection must not leave the rows' file open.
    await blocks.close()
  }
}

/** Whether a COPY does the same as an INSERT, and no key is NULL. */
function isCopied(
  { key, mode }: MergeTarget,
  { otherKind, hasRowSecurity, changesInserted, columns }: TargetTable,
): boolean {
  if (otherKind !== null || hasRowSecurity || changesInserted) return false
  return mode === 'insert' || columns.every(({ name, isNotNull }) => isNotNull || !key.includes(name))
}

/** Whether the table has some of a block's keys. */
async function hasSome(session: MergeSession, target: MergeTarget, block: CopyBlock): Promise<boolean> {
  const keys = probedKeys(target, block)
  if (keys.length === 0) return false
  const width = target.key.length
  const conditions = keys.map(
    (_, nth) =>
      `(${target.key.map((column, index) => `${quote(column)} = $${nth * width + index + 1}`).join(' AND ')})`,
  )
  const { rows } = await session.run(
    `SELECT EXISTS (SELECT 1 FROM ${quoteTable(target.table)} WHERE ${conditions.join(' OR ')})`,
    keys.flat(),
  )
  return rows[0]?.[0] === 't'
}
