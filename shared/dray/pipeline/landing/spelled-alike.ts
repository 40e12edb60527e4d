import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { PlannedSchema } from '#dray/pipeline/plan/contract.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { canonicalKey } from '#dray/pipeline/texts/key-texts.ts'
import { hashOf, knownSpellings } from './kept-spellings.ts'

type Key = readonly Text[]

/** A key as a row brings it, and one of the target that is the same there, as it writes it. */
export interface GivenKey {
  readonly given: Key
  readonly stored: Key
}

/** The same, with how the row spells its key that the target has it from. */
export interface ComparedKey extends GivenKey {
  readonly spelling: Key
  readonly isAlike: boolean
}

/**
 * Says of each key whether its row spells it as the one that the target has it from: by what is kept of keys that the
 * target writes otherwise, and else by how the target writes it.
 */
export async function compareSpellings<T extends GivenKey>(
  pipeline: Pipeline,
  columns: readonly ColumnDefinition[],
  keys: readonly T[],
  schema: PlannedSchema | undefined,
): Promise<readonly (T & ComparedKey)[]> {
  const isKept = (schema?.forgotten ?? null) === null
  const known = isKept ? new Map<string, Key>() : await knownSpellings(pipeline, keys)
  const textOf = (key: Key) => keyOf(canonicalKey(columns, key))
  return keys.map((key) => {
    const { given, stored } = key
    const spelling = known.get(hashOf(stored))
    const isAlike = spelling === undefined ? textOf(stored) === textOf(given) : keyOf(spelling) === keyOf(given)
    return { ...key, spelling: spelling ?? stored, isAlike }
  })
}
