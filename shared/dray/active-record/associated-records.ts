import type { FieldKind } from '#dray/database/field-kind.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { AssociatedModel, AssociatedRecord } from './association.ts'
import type { Fields } from './fields.ts'
import { Relation } from './relation.ts'
import { KEYS_AT_ONCE } from './sql.ts'
import { type ColumnDefinition, columnOf, type TableDefinition } from './table-definition.ts'

/** The one field of a primary key. Throws `Configuration` for a table that has another key, or none. */
export function onlyKeyOf(definition: TableDefinition): ColumnDefinition {
  const [key, ...more] = definition.primaryKey
  if (key === undefined || more.length > 0) {
    throw new ConfigurationError(
      `${definition.database}.${definition.table} must have a primary key of one field to be associated`,
    )
  }
  return key
}

/** The table of a record's own model. */
export function definitionOf(record: AssociatedRecord): TableDefinition {
  return (record.constructor as unknown as { definition: TableDefinition }).definition
}

/** Numbers have one text each; whether two texts are one key is for the database to say. */
const NUMBERS = new Set<FieldKind>(['bigint', 'integer'])

/** The records whose property the database takes for one of the texts, by that text. */
export async function recordsByText<T extends AssociatedRecord>(
  model: AssociatedModel<T>,
  property: string,
  texts: readonly (string | null)[],
): Promise<Map<string, T[]>> {
  const { cast, toText, kind } = columnOf(model.definition, property).field.settings
  const keys = [...new Set(texts.filter((text) => text !== null))]
  const found = new Map<string, T[]>()
  const relation = new Relation<T, Fields>(model)
  for (let start = 0; start < keys.length; start += KEYS_AT_ONCE) {
    const some = keys.slice(start, start + KEYS_AT_ONCE)
    const values = some.map((text) => cast(text))
    if (!NUMBERS.has(kind)) {
      const having = await relation.havingEach(property, values)
      some.forEach((text, place) => {
        found.set(text, having[place] ?? [])
      })
      continue
    }
    const byNumber = Map.groupBy(await relation.where({ [property]: values }).toArray(), (record) =>
      toText(cast(record.textOf(property) ?? '')),
    )
    some.forEach((text, place) => {
      found.set(text, byNumber.get(toText(values[place])) ?? [])
    })
  }
  return found
}
