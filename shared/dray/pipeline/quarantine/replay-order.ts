import { DataQualityError } from '#dray/errors.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { microsOf } from '#dray/pipeline/texts/instant.ts'
import type { KeptRow } from './kept-rows.ts'

/** By cursor and key, as an extract reads them: of those with one key of the target the last is taken. */
export function inOrder(extract: Extraction, rows: readonly KeptRow[]): KeptRow[] {
  const keys = extract.source.definition.primaryKey.map(({ column }) => column)
  return rows
    .map((row) => ({ row, place: [ageOf(extract, row), ...keys.map((key) => row.row[key] ?? '')] }))
    .toSorted((one, other) => {
      const differing = one.place.findIndex((part, index) => part !== other.place[index])
      return differing < 0 ? 0 : comparePlaces(one.place[differing] ?? '', other.place[differing] ?? '')
    })
    .map(({ row }) => row)
}

/** The cursor as a number; empty, and before all others, where it says no time. */
function ageOf({ cursor, source }: Extraction, { row }: KeptRow): string {
  const text = cursor === null ? null : (row[source.definition.byName.get(cursor.name)?.column ?? ''] ?? null)
  if (text === null || cursor?.kind === 'xid') return text ?? ''
  try {
    return String(microsOf(text) ?? '')
  } catch (error) {
    if (error instanceof DataQualityError) return ''
    throw error
  }
}

function comparePlaces(one: string, other: string): number {
  const areNumbers = [one, other].every((part) => /^-?\d+$/.test(part))
  const [left, right] = areNumbers ? [BigInt(one), BigInt(other)] : [one, other]
  return left < right ? -1 : left > right ? 1 : 0
}
