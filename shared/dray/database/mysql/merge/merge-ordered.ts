import type { OpenBlocks } from '#dray/block/block.ts'
import { AscendingKeys } from '#dray/database/merge/ascending-keys.ts'
import { FittingBlocks } from '#dray/database/merge/fitting-blocks.ts'
import type { MergeResult } from '../../adapter.ts'
import { fittingRows } from './fitting-values.ts'
import { refusalOf } from './load-inserts.ts'
import type { Merging } from './merging.ts'
import { loadFitting } from './straight.ts'
import { upserted } from './write-rows.ts'

const SAVEPOINT = '`dray_ordered`'
const WHOLE_NUMBERS = new Set(['tinyint', 'smallint', 'mediumint', 'int', 'bigint'])

/**
 * Merges rows whose keys grow from one to the next and whose values are sure to fit: then no key comes twice, no row
 * has to be found again, and the staging table needs no check and no index. Null, with nothing left behind, when one
 * row is not like that or is refused.
 */
export async function mergeOrdered(merging: Merging, open: OpenBlocks): Promise<MergeResult | null> {
  const { session, target, live, staging } = merging
  const fits = fittingRows(session, target, live)
  if (fits === null || !mayBeOrdered(merging)) return null
  const keys = new AscendingKeys(target)
  const blocks = new FittingBlocks(open(), (bytes) => {
    keys.add(bytes)
    return keys.isAscending && fits(bytes)
  })
  try {
    if ((await blocks.first()) === null) return null
    await staging.createWithoutOrdinals()
    const rows = await loadFitting(session, staging.table, target.columns, blocks)
    return rows === null ? null : await upsert(merging, rows)
  } finally {
    // A lost connection must not leave the rows' file open.
    await blocks.close()
  }
}

/** Equal texts of numbers are found without the server; those of other types, and other unique keys, are not. */
function mayBeOrdered({ target, live, sql }: Merging): boolean {
  const key = live.columns.find(({ name }) => name === target.key[0])
  const isNumber = key !== undefined && target.key.length === 1 && WHOLE_NUMBERS.has(key.kind)
  return target.mode !== 'insert' && isNumber && sql.isOneStatement
}

async function upsert({ session, sql }: Merging, rows: number): Promise<MergeResult | null> {
  let written = { affected: 0, records: 0, duplicates: 0 }
  await session.run(`SAVEPOINT ${SAVEPOINT}`)
  const fault = await refusalOf(session, sql.upsert(), (counts) => {
    written = counts
  })
  const isWhole = fault === null && written.records === rows
  if (!isWhole) await session.run(`ROLLBACK TO SAVEPOINT ${SAVEPOINT}`)
  await session.run(`RELEASE SAVEPOINT ${SAVEPOINT}`)
  return isWhole ? { ...upserted(written), duplicate: 0, rejected: [] } : null
}
