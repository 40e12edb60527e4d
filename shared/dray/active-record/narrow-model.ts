import type { Fields } from './fields.ts'
import { defineModel, type ReadingStatics, type SourceClass } from './model.ts'

/** A model of the same table that reads these fields alone, in the order of their declaration. */
export function narrowModel(
  { database, definition, fields }: Pick<ReadingStatics<Fields>, 'database' | 'definition' | 'fields'>,
  names: ReadonlySet<string>,
): SourceClass {
  const kept = Object.entries(fields).filter(([name]) => names.has(name))
  const { table, query } = definition
  return defineModel(database, { table, readOnly: true, query }, Object.fromEntries(kept)) as SourceClass
}
