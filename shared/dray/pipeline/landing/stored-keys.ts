import { type RawBuilder, sql } from 'kysely'
import { readColumn, tableName, where } from '#dray/active-record/sql.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import { DataQualityError } from '#dray/errors.ts'
import type { AnyModel } from '#dray/pipeline/declare/any-model.ts'
import { bytesOfKey, hasKey, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import { queried } from './queried.ts'

type Key = readonly Text[]
type Conditions = readonly RawBuilder<unknown>[]

/**
 * Of each of these keys those of a table that it takes for the same: asked for all at once, answered one by one. A key
 * that no value of its column can be has none, and does not keep the others from being found. `only` are conditions on
 * the table's rows.
 */
export async function storedKeys(
  model: AnyModel,
  columns: readonly ColumnDefinition[],
  wanted: readonly Key[],
  only: Conditions = [],
): Promise<readonly (readonly Key[])[]> {
  const stored: Key[][] = wanted.map(() => [])
  for (const group of inGroups(wanted.entries())) {
    for (const [place, ...key] of await storedOf(model, columns, group, only)) stored[Number(place)]?.push(key)
  }
  return stored
}

type Wanted = readonly (readonly [place: number, key: Key])[]

async function storedOf(
  model: AnyModel,
  columns: readonly ColumnDefinition[],
  wanted: Wanted,
  only: Conditions,
): Promise<readonly (readonly Text[])[]> {
  try {
    return await model.database.transaction(() => rowsOfEach(model, columns, wanted, only), 'snapshot')
  } catch (error) {
    if (!(error instanceof DataQualityError)) throw error
    if (wanted.length < 2) return []
    const half = Math.ceil(wanted.length / 2)
    const first = await storedOf(model, columns, wanted.slice(0, half), only)
    return [...first, ...(await storedOf(model, columns, wanted.slice(half), only))]
  }
}

async function rowsOfEach(model: AnyModel, columns: readonly ColumnDefinition[], wanted: Wanted, only: Conditions) {
  const { database, definition } = model
  const adapter = await database.adapter()
  const live = await bytesOfKey(model, columns)
  const read = sql.join(columns.map((column) => readColumn(adapter, column)))
  const ofEach = wanted.map(
    ([place, key]) =>
      sql`select ${sql.raw(String(place))} as ${sql.id('dray_place')}, ${read} from ${tableName(definition)}${where([...only, hasKey(adapter, columns, [key], live)])}`,
  )
  return queried(database, sql.join(ofEach, sql` union all `))
}
