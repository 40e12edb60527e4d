import { sql } from 'kysely'
import { columnName, where as rowsWhere, tableName } from '#dray/active-record/sql.ts'
import type { Adapter, Connection } from '#dray/database/adapter.ts'
import { databaseUrl } from '#dray/database/database-url.ts'
import { type Checked, found } from '#dray/database/health.ts'
import { healthOf } from '#dray/database/health-of.ts'
import { compile } from '#dray/database/statement.ts'
import type { Extraction } from '#dray/pipeline/declare/extraction.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { askedModel } from '#dray/pipeline/plan/asked-model.ts'
import { checkNullCursors } from '#dray/pipeline/plan/checked-cursor.ts'
import { isComputed, isLarge, noteOfMissingIndex } from '#dray/pipeline/plan/cursor-index.ts'
import { cursorName } from '#dray/pipeline/plan/cursor-value.ts'
import { checkOwnSql } from '#dray/pipeline/plan/own-sql.ts'
import { ownRows } from '#dray/pipeline/plan/source-rows.ts'
import { sourceTable } from '#dray/pipeline/plan/source-table.ts'
import { noteOfFarRows } from '#dray/pipeline/plan/waiting-rows.ts'
import { settledWindow } from '#dray/pipeline/plan/window.ts'
import { attempt } from './attempt.ts'
import { examineDeclaredKey } from './examine-declared-key.ts'
import { differences } from './examine-model.ts'

/** What `examineDatabase` says once for a database. */
const SAID_OF_DATABASE = /pg_read_all_stats|privilege PROCESS/

/** Looks at what a pipeline reads, as Plan does. The database is connected. */
export async function examineSource(pipeline: Pipeline): Promise<readonly Checked[]> {
  const { name, extract } = pipeline
  const { source } = extract
  const { database, table } = source.definition
  const where = `${database}.${table}`
  const models = await differences(askedModel(extract), 'source')
  if (models.some(({ verdict }) => verdict !== 'ok')) return models
  const own = await attempt('read', where, async () => {
    await checkOwnSql(extract)
    return []
  })
  if (own.length > 0) return [...models, ...own]
  const readable = await attempt('read', where, () =>
    source.database.withConnection(async (connection, adapter) => {
      const columns = sql.join(source.definition.columns.map(columnName))
      const own = ownRows(extract, await sourceTable(extract, connection, adapter))
      const from = sql`${tableName(source.definition)}${rowsWhere([...own, sql`1 = 0`])}`
      const statement = compile(adapter, sql`select ${columns} from ${from}`)
      await connection.query(statement.sql, statement.parameters)
      return []
    }),
  )
  if (readable.length > 0) return [...models, ...readable]
  const key = await examineDeclaredKey(pipeline)
  if (extract.cursor === null) return [...models, ...key]
  const cursor = await attempt('cursor', where, () =>
    source.database.withConnection((connection, adapter) => examineCursor(name, extract, connection, adapter)),
  )
  const index = await attempt('cursor', where, () =>
    source.database.withConnection((connection, adapter) => examineIndex(extract, connection, adapter)),
  )
  return [...models, ...key, ...cursor, ...index]
}

async function examineCursor(
  pipeline: string,
  extract: Extraction,
  connection: Connection,
  adapter: Adapter,
): Promise<readonly Checked[]> {
  const table = await sourceTable(extract, connection, adapter)
  const before = { lastRun: null, seen: {}, signal: new AbortController().signal }
  const { settled, note } = await settledWindow(extract, before, connection, table)
  const nulls = await checkNullCursors(pipeline, extract, connection, table)
  const far = settled === null ? null : await noteOfFarRows(extract, settled, connection, table)
  const { database, table: name } = extract.source.definition
  const unseen = note === null || SAID_OF_DATABASE.test(note) ? null : `${database}.${name}: ${note}`
  const said = [unseen, nulls, far].filter((one) => one !== null)
  if (said.length > 0) return said.map((one) => found('cursor', 'warning', one))
  return [found('cursor', 'ok', `${database}.${name} is read by ${cursorName(extract)}`)]
}

async function examineIndex(
  extract: Extraction,
  connection: Connection,
  adapter: Adapter,
): Promise<readonly Checked[]> {
  const { definition } = extract.source
  // Which index would help a query, only its own plan says.
  if (definition.query !== undefined) return []
  if (isComputed(extract)) {
    const missing = await noteOfMissingIndex(extract, connection, { adapter })
    return missing === null ? [] : [found('cursor', 'warning', missing)]
  }
  const column = cursorName(extract)
  const health = await healthOf(databaseUrl(definition.database))
  const index = health.indexOf(definition.table, column)
  if ((await connection.query(index.sql, index.parameters)).rows.length > 0) return []
  if (!(await isLarge(extract, connection, { adapter }))) return []
  const said = `no index of ${definition.database}.${definition.table} begins with ${column}, by which it is read, so each run reads the whole table; create index on ${definition.table} (${column})`
  return [found('cursor', 'warning', said)]
}
