import type { Text } from '#dray/block/block.ts'
import { DataQualityError } from '#dray/errors.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { microsOf } from '#dray/pipeline/texts/instant.ts'

const NUMBER = /^-?\d+$/

/** How new a version of a row is, by its cursor; a number as text, empty where nothing says it. */
export function ageOf({ cursor }: Pick<Extraction, 'cursor'>, text: Text): string {
  if (cursor === null || text === null) return ''
  if (cursor.kind === 'xid') return text
  try {
    return String(microsOf(text) ?? '')
  } catch (error) {
    if (error instanceof DataQualityError) return ''
    throw error
  }
}

/** The column of the source that says how new a row is; null where the pipeline has no cursor. */
export function ageColumn({ cursor, source }: Extraction): { readonly column: string; readonly index: number } | null {
  return cursor === null ? null : (source.definition.byName.get(cursor.name) ?? null)
}

/** Numbers as such, other texts by their code units; the newer one is greater. */
export function compareAges(one: string, other: string): number {
  const areNumbers = [one, other].every((part) => NUMBER.test(part))
  const [left, right] = areNumbers ? [BigInt(one), BigInt(other)] : [one, other]
  return left < right ? -1 : left > right ? 1 : 0
}
