import type { Fields } from './fields.ts'
import { defineAccessors, type SourceRecord } from './record.ts'
import { defineTable, type TableDefinition } from './table-definition.ts'

interface Widened {
  readonly definition: TableDefinition
  readonly fields: Fields
}

/** The same model with more fields behind its own; its records are records of the model, too. */
export function widerModel<M extends (abstract new (...args: never[]) => SourceRecord) & Widened>(
  model: M,
  added: Fields,
): M {
  const fields = { ...model.fields, ...added }
  const definition = defineTable(model.definition, fields, () => false)
  const base = model as unknown as new () => SourceRecord
  const wider = class extends base {}
  Object.defineProperty(wider, 'name', { value: (model as unknown as { readonly name: string }).name })
  Object.assign(wider, { definition, fields })
  const columns = definition.columns.slice(model.definition.columns.length)
  defineAccessors(wider.prototype, { ...definition, columns })
  return wider as unknown as M
}
