import type { OpenBlocks } from '#dray/block/block.ts'
import { decodeLine } from '#dray/block/copy-text.ts'
import { NAMED_KEYS, repeatedKeys } from '#dray/database/merge/repeated-keys.ts'
import { DataQualityError } from '#dray/errors.ts'
import type { MergeResult, MergeTarget, RejectedRow } from '../../adapter.ts'
import { quote } from '../names.ts'
import { mergeRows } from './merge.ts'
import type { MergeSession } from './session.ts'

/** Merges the rows of a temporary table: all of them, or throws why one of them is refused. */
export async function mergeSelected(
  session: MergeSession,
  target: MergeTarget,
  from: string,
  open: OpenBlocks,
): Promise<MergeResult> {
  const merged = await mergeRows(session, target, open)
  const [first] = merged.rejected
  if (first !== undefined) throw refused(target, first, merged.rejected.length)
  if (merged.duplicate === 0) return merged
  const key = target.key.map(quote).join(', ')
  const twice = `SELECT ${key} FROM ${from} GROUP BY ${key} HAVING count(*) > 1 ORDER BY ${key} LIMIT ${NAMED_KEYS}`
  throw repeatedKeys(target, session.rows(twice))
}

function refused(target: MergeTarget, { line, code, column, message }: RejectedRow, rows: number): DataQualityError {
  const fields = decodeLine(line)
  const values = target.key.map((name) => fields[target.columns.indexOf(name)])
  const where = target.key.length === 0 ? '' : ` with (${target.key.join(', ')}) = (${values.join(', ')})`
  const more = rows > 1 ? `; ${rows} rows are refused` : ''
  return new DataQualityError(column ?? '', code, `the row${where}: ${message}${more}`)
}
