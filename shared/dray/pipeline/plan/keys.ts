import { sql } from 'kysely'
import { columnName, tableName, where } from '#dray/active-record/sql.ts'
import type { Adapter, Connection } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import { ConfigurationError, DataQualityError } from '#dray/errors.ts'
import type { SourceKey } from '#dray/messages/run-mode.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { hasKey, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import type { Services } from '../services.ts'
import type { Draft } from './draft.ts'
import { type Partition, WHOLE } from './partitions.ts'
import { ownRows } from './source-rows.ts'
import { sourceTable } from './source-table.ts'

/** The rows of these keys; notes name the keys that have no row. */
export async function draftKeys(pipeline: Pipeline, asked: readonly SourceKey[], { signal }: Services): Promise<Draft> {
  const { extract } = pipeline
  const keys = keysOf(extract, asked)
  const parts = [...inGroups(keys)]
  return extract.source.database.withConnection(async (connection, adapter) => {
    let rows = 0
    for (const part of parts) rows += await countOf(extract, part, connection, adapter, signal)
    const partitions = parts.map((part): Partition => ({ ...WHOLE, keys: part }))
    const { database, table } = extract.source.definition
    const missing = keys.length - rows
    const chosen = extract.filter === null ? '' : ' that its where chooses'
    const notes = missing > 0 ? [`${missing} of ${keys.length} keys have no row in ${database}.${table}${chosen}`] : []
    return { window: null, rows, partitions, advances: false, notes }
  })
}

/** The keys as texts of the key's columns, each once. Throws `Configuration` for one that cannot be a key. */
export function keysOf({ source }: Extraction, asked: readonly SourceKey[]): string[][] {
  const { primaryKey, database, table } = source.definition
  const refuse = (what: string) =>
    new ConfigurationError(`${database}.${table}: ${what}, so no row was looked for and nothing was done`)
  if (primaryKey.length === 0) throw refuse('the model has no primary key')
  const keys = new Map<string, string[]>()
  for (const given of asked) {
    const key = [given].flat()
    const fields = primaryKey.map(({ name }) => name).join(', ')
    if (key.length !== primaryKey.length) throw refuse(`${JSON.stringify(given)} is not a key of (${fields})`)
    for (const [place, column] of primaryKey.entries()) {
      try {
        column.field.settings.cast(key[place] as string)
      } catch (error) {
        if (error instanceof DataQualityError) throw refuse(`the key ${JSON.stringify(given)}: ${error.message}`)
        throw error
      }
    }
    keys.set(keyOf(key), key)
  }
  return [...keys.values()]
}

async function countOf(
  extract: Extraction,
  keys: readonly (readonly string[])[],
  connection: Connection,
  adapter: Adapter,
  signal: AbortSignal,
): Promise<number> {
  const { definition } = extract.source
  const table = await sourceTable(extract, connection, adapter)
  const one = columnName(definition.primaryKey[0] as { column: string })
  const { sql: text, parameters } = compile(
    adapter,
    sql`select count(${one}) from ${tableName(definition)}${where([...ownRows(extract, table), hasKey(adapter, definition.primaryKey, keys, table.columns)])}`,
  )
  return Number((await connection.query(text, parameters, { signal })).rows[0]?.[0])
}
