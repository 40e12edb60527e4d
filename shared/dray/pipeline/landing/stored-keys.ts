import { type RawBuilder, sql } from 'kysely'
import { readColumn, tableName } from '#dray/active-record/sql.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import { DataQualityError } from '#dray/errors.ts'
import type { AnyModel } from '#dray/pipeline/declare/any-model.ts'
import { bytesOfKey, hasKey, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import { queried } from './queried.ts'

type Key = readonly Text[]

/**
 * Of each of these keys those of a table that it takes for the same: asked for all at once, answered one by one. A key
 * that no value of its column can be has none, and does not keep the others from being found. Of rows for which the
 * condition does not hold none is found.
 */
export async function storedKeys(
  model: AnyModel,
  columns: readonly ColumnDefinition[],
  wanted: readonly Key[],
  condition: RawBuilder<unknown> | null = null,
): Promise<readonly (readonly Key[])[]> {
  const stored: Key[][] = wanted.map(() => [])
  for (const group of inGroups(wanted.entries())) {
    for (const [place, ...key] of await storedOf({ model, columns, condition }, group)) stored[Number(place)]?.push(key)
  }
  return stored
}

type Wanted = readonly (readonly [place: number, key: Key])[]

interface Asked {
  readonly model: AnyModel
  readonly columns: readonly ColumnDefinition[]
  readonly condition: RawBuilder<unknown> | null
}

async function storedOf(asked: Asked, wanted: Wanted): Promise<readonly (readonly Text[])[]> {
  try {
    return await asked.model.database.transaction(() => rowsOfEach(asked, wanted), 'snapshot')
  } catch (error) {
    if (!(error instanceof DataQualityError)) throw error
    if (wanted.length < 2) return []
    const half = Math.ceil(wanted.length / 2)
    const first = await storedOf(asked, wanted.slice(0, half))
    return [...first, ...(await storedOf(asked, wanted.slice(half)))]
  }
}

async function rowsOfEach({ model, columns, condition }: Asked, wanted: Wanted) {
  const { database, definition } = model
  const adapter = await database.adapter()
  const live = await bytesOfKey(model, columns)
  const read = sql.join(columns.map((column) => readColumn(adapter, column)))
  const also = condition === null ? sql`` : sql` and ${condition}`
  const ofEach = wanted.map(
    ([place, key]) =>
      sql`select ${sql.raw(String(place))} as ${sql.id('dray_place')}, ${read} from ${tableName(definition)} where ${hasKey(adapter, columns, [key], live)}${also}`,
  )
  return queried(database, sql.join(ofEach, sql` union all `))
}
