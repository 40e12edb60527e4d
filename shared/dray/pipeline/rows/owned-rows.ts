import { type RawBuilder, sql } from 'kysely'
import { bulkColumns } from '#dray/active-record/bulk.ts'
import { textFor } from '#dray/active-record/sql.ts'
import type { ValidationError } from '#dray/active-record/validations.ts'
import type { Text } from '#dray/block/block.ts'
import type { Adapter } from '#dray/database/adapter.ts'
import { tableParts } from '#dray/database/table-name.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { canonicalText } from '#dray/pipeline/texts/canonical.ts'

const NOT_OWNED = 'not_owned'

/** A condition on a row of the target, which is named by its table: it is the pipeline's. None where each one is. */
export function ownedRows({ load, deletes }: Pipeline, adapter: Adapter): RawBuilder<unknown>[] {
  const parts = tableParts(load.target.definition.table)
  return deletes.where.map(({ column, texts }) => {
    const values = texts.map((text) => textFor(adapter, column, text))
    return sql`${sql.id(...parts, column.column)} in (${sql.join(values)})`
  })
}

/** Makes the check that a row which the transform has made is the pipeline's; null where each one is. */
export function ownedCheck(pipeline: Pipeline): ((texts: readonly Text[]) => ValidationError | null) | null {
  const { deletes, load, name } = pipeline
  if (deletes.where.length === 0) return null
  const columns = bulkColumns(load.target.definition)
  const owned = deletes.where.map(({ column, texts }) => ({
    column,
    at: columns.indexOf(column),
    texts: new Set<Text>(texts.map((text) => canonicalText(column, text))),
  }))
  return (made) => {
    const other = owned.find(({ column, at, texts }) => !texts.has(canonicalText(column, made[at] ?? null)))
    if (other === undefined) return null
    const { column, at, texts } = other
    const message = `is ${made[at] ?? 'NULL'}, and the rows of ${name} have ${[...texts].join(' or ')} there (deletes: { where }), so it would be a row of another pipeline; correct the transform, or where`
    return { field: column.name, code: NOT_OWNED, message }
  }
}

/** Makes the function that makes the target's key of the source's, with what all rows of the pipeline have in it. */
export function wholeKey({ load, deletes }: Pipeline): (key: readonly Text[]) => readonly Text[] {
  if (deletes.by.length === load.goneBy.length) return (key) => key
  const constant = new Map(deletes.where.map(({ column, texts }) => [column.name, texts[0] ?? null]))
  return (key) =>
    load.goneBy.map((field) => {
      const place = deletes.by.indexOf(field)
      return place < 0 ? (constant.get(field) ?? null) : (key[place] ?? null)
    })
}
