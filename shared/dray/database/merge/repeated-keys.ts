import type { Text } from '#dray/block/block.ts'
import { DataQualityError } from '#dray/errors.ts'
import type { MergeTarget } from '../adapter.ts'

/** The code of rows of a SELECT that are one row of the target. */
export const REPEATED_KEY = 'repeated_key'

/** So many keys are named. */
export const NAMED_KEYS = 5

/** Why nothing was written: rows of one key, of which no order says which counts. */
export function repeatedKeys({ table, key }: MergeTarget, keys: readonly (readonly Text[])[]): DataQualityError {
  const named = keys.map((values) => values.map((value) => value ?? 'NULL').join(', ')).join('; ')
  return new DataQualityError(
    key.length === 1 ? (key[0] as string) : '',
    REPEATED_KEY,
    `several rows have one key (${key.join(', ')}) for ${table}, and nothing says which of them counts: ${named}${keys.length === NAMED_KEYS ? ' and maybe more' : ''}`,
  )
}
