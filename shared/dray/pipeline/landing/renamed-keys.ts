import { sql } from 'kysely'
import { bulkColumns } from '#dray/active-record/bulk.ts'
import { columnName, tableName } from '#dray/active-record/sql.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import { compile } from '#dray/database/statement.ts'
import type { AnyModel } from '#dray/pipeline/declare/any-model.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { QuarantinedRow } from '#dray/pipeline/rows/quarantined-row.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { columnsOf, hasKey, inGroups } from '#dray/pipeline/texts/key-texts.ts'

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
  rows: Promise<ReadonlyMap<number, Row>>,
): Promise<ReadonlySet<number>> {
  const { extract, load } = pipeline
  const own = extract.source.definition.primaryKey
  const by = columnsOf(load.target.definition, load.by)
  const columns = bulkColumns(load.target.definition)
  const renamed = new Map<string, number[]>()
  for (const [place, { kept, texts }] of await rows) {
    const key = by.map((column) => texts[columns.indexOf(column)] ?? null)
    const isTakenOver = own.length === key.length && own.every(({ column }, index) => kept.row[column] === key[index])
    if (!isTakenOver) continue
    const held = await keysLike(load.target, by, [key])
    const [stored] = held
    if (held.length !== 1 || stored === undefined) continue
    const found = await keysLike(extract.source, own, [stored])
    if (found.some((one) => keyOf(one) === keyOf(stored))) continue
    renamed.set(keyOf(stored), [...(renamed.get(keyOf(stored)) ?? []), place])
  }
  return new Set([...renamed.values()].flatMap((places) => (places.length === 1 ? places : [])))
}

/** The keys of a table's rows that it takes for one of these. */
async function keysLike(
  { database, definition }: AnyModel,
  key: readonly ColumnDefinition[],
  wanted: readonly (readonly Text[])[],
): Promise<readonly (readonly Text[])[]> {
  return database.withConnection(async (connection, adapter) => {
    const found: (readonly Text[])[] = []
    for (const group of inGroups(wanted)) {
      const { sql: text, parameters } = compile(
        adapter,
        sql`select ${sql.join(key.map(columnName))} from ${tableName(definition)} where ${hasKey(adapter, key, group)}`,
      )
      found.push(...(await connection.query(text, parameters)).rows)
    }
    return found
  })
}
