import type { TableDefinition } from '#dray/active-record/table-definition.ts'

/** A model, as far as it says which table it is. */
export interface DatasetModel {
  readonly definition: TableDefinition
}
