import { bulkColumns } from '#dray/active-record/bulk.ts'
import type { Text } from '#dray/block/block.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { QuarantinedRow } from '#dray/pipeline/rows/quarantined-row.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { canonicalKey, columnsOf } from '#dray/pipeline/texts/key-texts.ts'
import { storedKeys } from './stored-keys.ts'

interface Row {
  readonly kept: QuarantinedRow
  readonly texts: readonly Text[]
}

/**
 * Of rows whose key the target holds in another spelling, those whose source has that other spelling no more: their
 * key was rewritten there, and they are the row that the target holds. Where the source has both spellings, or two new
 * ones, none can take the place of the other.
 */
export async function renamedKeys(pipeline: Pipeline, rows: ReadonlyMap<number, Row>): Promise<ReadonlySet<number>> {
  const { extract, load } = pipeline
  const own = extract.source.definition.primaryKey
  const by = columnsOf(load.target.definition, load.by)
  const columns = bulkColumns(load.target.definition)
  const takenOver: { readonly place: number; readonly key: readonly Text[] }[] = []
  for (const [place, { kept, texts }] of rows) {
    const key = by.map((column) => texts[columns.indexOf(column)] ?? null)
    const isTakenOver = own.length === key.length && own.every(({ column }, index) => kept.row[column] === key[index])
    if (isTakenOver) takenOver.push({ place, key })
  }
  if (takenOver.length === 0) return new Set()
  const held = await storedKeys(
    load.target,
    by,
    takenOver.map(({ key }) => key),
  )
  const asked = takenOver.flatMap(({ place }, index) => {
    const [stored, ...others] = held[index] ?? []
    return stored === undefined || others.length > 0 ? [] : [{ place, stored }]
  })
  const found = await storedKeys(
    extract.source,
    own,
    asked.map(({ stored }) => stored),
  )
  const textOf = (key: readonly Text[]) => keyOf(canonicalKey(own, key))
  const isGone = (stored: readonly Text[], index: number) =>
    !found[index]?.some((one) => textOf(one) === textOf(stored))
  const renamed = Map.groupBy(
    asked.filter(({ stored }, index) => isGone(stored, index)),
    ({ stored }) => textOf(stored),
  )
  return new Set([...renamed.values()].flatMap((rows) => (rows.length === 1 ? rows.map(({ place }) => place) : [])))
}
