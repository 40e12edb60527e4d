import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { ageOfKept, compareAges } from '#dray/pipeline/rows/age.ts'
import type { KeptRow } from './kept-rows.ts'

/** By cursor and key, as an extract reads them: of those with one key of the target the last is taken. */
export function inOrder(extract: Extraction, rows: readonly KeptRow[]): KeptRow[] {
  const keys = extract.source.definition.primaryKey.map(({ column }) => column)
  const ageOf = ageOfKept(extract)
  return rows
    .map((row) => ({ row, place: [ageOf(row.row), ...keys.map((key) => row.row[key] ?? '')] }))
    .toSorted((one, other) => {
      const differing = one.place.findIndex((part, index) => part !== other.place[index])
      return differing < 0 ? 0 : compareAges(one.place[differing] ?? '', other.place[differing] ?? '')
    })
    .map(({ row }) => row)
}
