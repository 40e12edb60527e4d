import type { Text } from '#dray/block/block.ts'
import type { Database } from '#dray/database/database.ts'
import type { RecordRow, TableDefinition } from './table-definition.ts'

/** What writes and schema checks need of a model: its table, and the database that has it. */
export interface ModelTable {
  readonly definition: TableDefinition
  readonly database: Database
}

/** What queries need of a model: it makes records of the rows. */
export interface QueriedModel extends ModelTable {
  /** A record of a row of texts in the order of the fields; no query, no cast. */
  instantiate(row: RecordRow | readonly Text[]): unknown
}
