import type { Text } from '#dray/block/block.ts'
import { DataQualityError } from '#dray/errors.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { microsOf } from '#dray/pipeline/texts/instant.ts'

const NUMBER = /^-?\d+$/

type Read = Pick<Extraction, 'cursor' | 'source'>

interface AgeColumn {
  readonly column: string
  readonly index: number
}

/** Whether rows bring along how new they are. */
export function haveAges({ cursor }: Pick<Extraction, 'cursor'>): boolean {
  return cursor !== null && cursor.fields.length > 0
}

/** The columns of the source of which the first that is not NULL says how new a row is. */
function ageColumns({ cursor, source }: Read): readonly AgeColumn[] {
  return (cursor?.fields ?? []).flatMap((name) => source.definition.byName.get(name) ?? [])
}

/** Those columns, in messages. */
export function ageNames(extraction: Read): string {
  const names = ageColumns(extraction).map(({ column }) => column)
  return names.length === 0 ? (extraction.cursor?.name ?? '') : names.join(', ')
}

/** Makes the question how new a version of a row is, by its cursor: a number as text, empty where nothing says it. */
export function ageOfRow(extraction: Read): (row: readonly Text[]) => string {
  const places = ageColumns(extraction).map(({ index }) => index)
  return (row) => {
    for (const index of places) {
      const text = row[index] ?? null
      if (text !== null) return ageOf(extraction, text)
    }
    return ''
  }
}

/** The same of a row by its columns, as it is kept. */
export function ageOfKept(extraction: Read): (row: Readonly<Record<string, Text>>) => string {
  const columns = ageColumns(extraction).map(({ column }) => column)
  return (row) => {
    const text = columns.map((column) => row[column] ?? null).find((one) => one !== null)
    return text === undefined || text === null ? '' : ageOf(extraction, text)
  }
}

function ageOf({ cursor }: Read, text: string): string {
  if (cursor?.kind !== 'timestamp') return text
  try {
    return String(microsOf(text) ?? '')
  } catch (error) {
    if (error instanceof DataQualityError) return ''
    throw error
  }
}

/** Numbers as such, other texts by their code units; the newer one is greater. */
export function compareAges(one: string, other: string): number {
  const areNumbers = [one, other].every((part) => NUMBER.test(part))
  const [left, right] = areNumbers ? [BigInt(one), BigInt(other)] : [one, other]
  return left < right ? -1 : left > right ? 1 : 0
}
