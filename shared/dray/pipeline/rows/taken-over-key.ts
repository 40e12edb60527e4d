import { bulkColumns } from '#dray/active-record/bulk.ts'
import type { Text } from '#dray/block/block.ts'
import type { FieldKind } from '#dray/database/field-kind.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { columnsOf } from '#dray/pipeline/texts/key-texts.ts'

/** The places of the target's key in a row that the transform has made. */
export function keyPlaces({ load }: Pipeline): readonly number[] {
  const columns = bulkColumns(load.target.definition)
  return columnsOf(load.target.definition, load.by).map((column) => columns.indexOf(column))
}

/** Whether rows of a key take the place of each other: not where they are only added, or where the first one stays. */
export function replacesRows({ load }: Pipeline): boolean {
  return load.kind !== 'append' && load.update !== 'never' && load.by.length > 0
}

/**
 * Makes the question whether a row has the same key in the target as in the source, text by text: two such rows never
 * share one.
 */
export function takenOverKey(pipeline: Pipeline): (row: readonly Text[], texts: readonly Text[]) => boolean {
  const own = pipeline.extract.source.definition.primaryKey.map(({ index }) => index)
  const all = bulkColumns(pipeline.load.target.definition)
  const { by } = pipeline.deletes
  const key = columnsOf(pipeline.load.target.definition, by).map((column) => all.indexOf(column))
  if (key.length !== own.length) return () => false
  // Of a part of a key the target's own spelling is not looked up.
  if (by.length < pipeline.load.goneBy.length && mayBeRespelled(pipeline)) return () => false
  return (row, texts) => {
    for (let place = 0; place < key.length; place++) {
      if (texts[key[place] as number] !== row[own[place] as number]) return false
    }
    return true
  }
}

/** Kinds of which a database writes each value in one way alone. */
const WRITTEN_ALIKE: ReadonlySet<FieldKind | undefined> = new Set<FieldKind>(['bigint', 'integer', 'boolean'])

/** Whether the target may hold a key in another form than the source: what are two texts there may be one UUID. */
export function mayBeRespelled({ extract, load, deletes }: Pipeline): boolean {
  const own = extract.source.definition.primaryKey.map(({ field }) => field.settings.kind)
  const by = columnsOf(load.target.definition, deletes.by).map(({ field }) => field.settings.kind)
  return by.some((kind, place) => kind !== own[place] || !WRITTEN_ALIKE.has(kind))
}
