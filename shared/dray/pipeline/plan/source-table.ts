import { type ComparedKey, comparedKey } from '#dray/active-record/compared-key.ts'
import type { Adapter, Connection, LiveColumn } from '#dray/database/adapter.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import { typeOfCursor } from './cursor-type.ts'

/** A source's table as it lives: types decide how keys and cursors are compared. */
export interface SourceTable {
  readonly adapter: Adapter
  readonly columns: readonly LiveColumn[]
  /** The primary key. */
  readonly key: ComparedKey
  /** The live type of the cursor; empty where there is none, and where the engine does not say it. */
  readonly cursorType: string
  /** An index begins with the key: not of a view, which would be worked out for each look-up. */
  readonly isKeyIndexed?: boolean
}

export async function sourceTable(
  extraction: Extraction,
  connection: Connection,
  adapter: Adapter,
): Promise<SourceTable> {
  const live = await connection.describe(extraction.source.definition.table)
  const table = await sourceTableOf(extraction, live?.columns ?? [], connection, adapter)
  const [first] = extraction.source.definition.primaryKey
  const isKeyIndexed = [live?.primaryKey ?? [], ...(live?.uniqueKeys ?? [])].some(([begin]) => begin === first?.column)
  return { ...table, isKeyIndexed: first !== undefined && isKeyIndexed }
}

export async function sourceTableOf(
  extraction: Extraction,
  columns: readonly LiveColumn[],
  connection: Connection,
  adapter: Adapter,
): Promise<SourceTable> {
  const key = comparedKey(adapter, extraction.source.definition.primaryKey, columns)
  return { adapter, columns, key, cursorType: await typeOfCursor(extraction, columns, connection, adapter) }
}
