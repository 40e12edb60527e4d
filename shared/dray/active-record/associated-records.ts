import { ConfigurationError } from '#dray/errors.ts'
import type { AssociatedModel, AssociatedRecord } from './association.ts'
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

/** The records whose property has one of the texts, by that text. */
export async function recordsByText<T extends AssociatedRecord>(
  model: AssociatedModel<T>,
  property: string,
  texts: readonly (string | null)[],
): Promise<Map<string, T[]>> {
  const { field } = columnOf(model.definition, property)
  const keys = [...new Set(texts.filter((text) => text !== null))]
  const found = new Map<string, T[]>()
  for (let start = 0; start < keys.length; start += KEYS_AT_ONCE) {
    const values = keys.slice(start, start + KEYS_AT_ONCE).map((text) => field.settings.cast(text))
    const records = await new Relation<T, never>(model).where({ [property]: values } as never).toArray()
    for (const record of records) {
      const key = record.textOf(property) ?? ''
      const known = found.get(key)
      if (known === undefined) found.set(key, [record])
      else known.push(record)
    }
  }
  return found
}
