import { bulkColumns } from '#dray/active-record/bulk.ts'
import type { Text } from '#dray/block/block.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { PlannedSchema } from '#dray/pipeline/plan/contract.ts'
import type { QuarantinedRow } from '#dray/pipeline/rows/quarantined-row.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { canonicalKey, columnsOf } from '#dray/pipeline/texts/key-texts.ts'
import { chosenRows } from './chosen-rows.ts'
import { hashOf, knownSpellings } from './kept-spellings.ts'
import { storedKeys } from './stored-keys.ts'

type Key = readonly Text[]

interface Row {
  readonly kept: QuarantinedRow
  readonly texts: readonly Text[]
}

/**
 * Of rows whose key the target holds in another spelling, those whose source has that other spelling no more: their
 * key was rewritten there, and they are the row that the target holds. Where the source has both spellings, or two new
 * ones, none can take the place of the other.
 */
export async function renamedKeys(
  pipeline: Pipeline,
  rows: ReadonlyMap<number, Row>,
  schema: PlannedSchema | undefined,
): Promise<ReadonlySet<number>> {
  const { extract, load } = pipeline
  const own = extract.source.definition.primaryKey
  const by = columnsOf(load.target.definition, load.by)
  const columns = bulkColumns(load.target.definition)
  const takenOver: { readonly place: number; readonly key: Key }[] = []
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
  const stored = takenOver.flatMap(({ place }, index) => {
    const [one, ...others] = new Map(held[index]?.map((key) => [keyOf(key), key])).values()
    return one === undefined || others.length > 0 ? [] : [{ place, stored: one }]
  })
  const isKept = (schema?.forgotten ?? null) === null
  const spellings = isKept ? new Map<string, Key>() : await knownSpellings(pipeline, stored)
  const textOf = (key: Key) => keyOf(canonicalKey(own, key))
  const asked = stored.map(({ place, stored: key }) => {
    const spelling = spellings.get(hashOf(key)) ?? null
    return { place, spelling: spelling ?? key, textOf: spelling === null ? textOf : keyOf }
  })
  const found = await storedKeys(
    extract.source,
    own,
    asked.map(({ spelling }) => spelling),
    await chosenRows(extract),
  )
  const gone = asked.filter(
    ({ spelling, textOf: text }, index) => !found[index]?.some((one) => text(one) === text(spelling)),
  )
  const renamed = Map.groupBy(gone, ({ spelling }) => textOf(spelling))
  return new Set([...renamed.values()].flatMap((rows) => (rows.length === 1 ? rows.map(({ place }) => place) : [])))
}
