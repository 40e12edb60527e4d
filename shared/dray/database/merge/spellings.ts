import type { OpenBlocks } from '#dray/block/block.ts'
import { blockLines } from '#dray/block/block-lines.ts'
import { decodeLine } from '#dray/block/copy-text.ts'
import { type MergeTarget, OTHER_SPELLING, type RejectedRow } from '../adapter.ts'

export type Reason = Pick<RejectedRow, 'code' | 'column' | 'message'>

type Keyed = Pick<MergeTarget, 'table' | 'key' | 'columns'>

interface Spelled {
  readonly one: string
  other: string | null
}

/**
 * Of rows that share their keys (`groups`: by their places, the number of the key) those whose key the input writes in
 * several ways, each with another one of them. Reads the input again.
 */
export async function otherSpellings(
  open: OpenBlocks,
  target: Keyed,
  groups: ReadonlyMap<number, number>,
): Promise<Map<number, string>> {
  const spelled = new Map<number, Spelled>()
  for await (const [, group, key] of keysOf(open, target, groups)) {
    const own = spelled.get(group)
    if (own === undefined) spelled.set(group, { one: key, other: null })
    else if (own.one !== key) own.other ??= key
  }
  const others = new Map<number, string>()
  if (![...spelled.values()].some(({ other }) => other !== null)) return others
  for await (const [place, group, key] of keysOf(open, target, groups)) {
    const { one, other } = spelled.get(group) as Spelled
    if (other !== null) others.set(place, (JSON.parse(key === one ? other : one) as string[]).join(', '))
  }
  return others
}

async function* keysOf(
  open: OpenBlocks,
  { key, columns }: Keyed,
  groups: ReadonlyMap<number, number>,
): AsyncGenerator<readonly [place: number, group: number, key: string]> {
  const fields = key.map((column) => columns.indexOf(column))
  let place = 0
  for await (const block of open()) {
    const lines = blockLines(block)
    for (let line = 0; line < lines.count; line++, place++) {
      const group = groups.get(place)
      if (group === undefined) continue
      const values = decodeLine(lines.text(line))
      yield [place, group, JSON.stringify(fields.map((field) => values[field]))]
    }
  }
}

/** Why rows are refused that are one key in two spellings. */
export function spelledTwice({ table, key }: Pick<MergeTarget, 'table' | 'key'>, other: string): Reason {
  return {
    code: OTHER_SPELLING,
    column: key.length === 1 ? (key[0] as string) : null,
    message: `another row of this load has the same key for ${table}, spelled ${JSON.stringify(other)}, so neither is written; give one spelling (${key.join(', ')}) at the source or in the transform`,
  }
}

/** Why a row is refused whose key the table has in another spelling. */
export function storedOtherwise({ table, key }: Pick<MergeTarget, 'table' | 'key'>, stored: string): Reason {
  return {
    code: OTHER_SPELLING,
    column: key.length === 1 ? (key[0] as string) : null,
    message: `${table} has this key (${key.join(', ')}) spelled ${JSON.stringify(stored)}, so the row is not written; give one spelling at the source or in the transform, or delete the old row`,
  }
}

/** Why a row is refused whose key the table has from a row that spells it otherwise. */
export function landedOtherwise({ table, key }: Pick<MergeTarget, 'table' | 'key'>, spelling: string): Reason {
  return {
    code: OTHER_SPELLING,
    column: key.length === 1 ? (key[0] as string) : null,
    message: `${table} has this key (${key.join(', ')}) from a row that spells it ${JSON.stringify(spelling)}, so the row is not written; give one spelling at the source or in the transform, or delete the old row`,
  }
}
