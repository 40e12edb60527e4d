import { type RawBuilder, sql } from 'kysely'
import { bulkColumns } from '#dray/active-record/bulk.ts'
import { columnName, tableName } from '#dray/active-record/sql.ts'
import { columnOf } from '#dray/active-record/table-definition.ts'
import type { Adapter, Connection } from '#dray/database/adapter.ts'
import { type Checked, found } from '#dray/database/health.ts'
import { compile } from '#dray/database/statement.ts'
import { TransientError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { foreignKeysTo } from '#dray/pipeline/landing/foreign-keys.ts'
import { refuseReferring } from '#dray/pipeline/landing/replacement.ts'
import { attempt } from './attempt.ts'
import { differences } from './examine-model.ts'

/** Looks at what a pipeline writes. The database is connected. Nothing is written. */
export async function examineTarget(pipeline: Pipeline): Promise<readonly Checked[]> {
  const { target } = pipeline.load
  const { database, table } = target.definition
  const where = `${database}.${table}`
  const models = await differences(target, 'target')
  if (models.some(({ verdict }) => verdict !== 'ok')) return models
  const parts: readonly [string, (connection: Connection, adapter: Adapter) => Promise<readonly Checked[]>][] = [
    ['key', (connection) => examineKey(pipeline, connection)],
    ['write', (connection, adapter) => examineGrants(pipeline, connection, adapter)],
    ['triggers', (connection, adapter) => examineTriggers(pipeline, connection, adapter)],
  ]
  const found: Checked[] = [...models]
  for (const [check, look] of parts) {
    found.push(...(await attempt(check, where, () => target.database.withConnection(look))))
  }
  return [...found, ...(await attempt('foreign keys', where, () => examineReferring(pipeline)))]
}

/** Rows are found by a unique key, of `by` in any order; of a history together with the start of the version. */
async function examineKey({ name, load }: Pipeline, connection: Connection): Promise<readonly Checked[]> {
  if (load.kind !== 'upsert' && load.kind !== 'history') return []
  const { definition } = load.target
  const by = load.kind === 'history' ? [...load.goneBy, load.history?.validFrom ?? ''] : load.by
  const columns = by.map((field) => columnOf(definition, field).column)
  const live = await connection.describe(definition.table)
  const keys = [live?.primaryKey ?? [], ...(live?.uniqueKeys ?? [])]
  const sorted = (names: readonly string[]) => [...names].sort().join('\0')
  if (keys.some((key) => sorted(key) === sorted(columns))) return []
  const table = `${definition.database}.${definition.table}`
  const said = `${name} finds rows of ${table} by ${columns.join(', ')}, and no primary or unique key has just these columns, so each load would fail; create unique index on ${definition.table} (${columns.join(', ')}), or name another key as by`
  return [found('key', 'broken', said)]
}

/** A statement that is explained needs the rights that it would need to run. */
async function examineGrants(
  { load, deletes }: Pipeline,
  connection: Connection,
  adapter: Adapter,
): Promise<readonly Checked[]> {
  const { definition } = load.target
  const live = await connection.describe(definition.table)
  const computed = (live?.columns ?? []).filter(({ isComputed }) => isComputed).map(({ name }) => name)
  // The contract refuses to write those.
  const columns = bulkColumns(definition).filter(({ column }) => !computed.includes(column))
  const names = sql.join(columns.map(columnName))
  const table = tableName(definition)
  const none = sql.raw('where 1 = 0')
  const [changed] = columns.filter(({ field }) => !field.settings.isPrimaryKey)
  const statements: RawBuilder<unknown>[] = [
    sql`insert into ${table} (${names})${sql.raw(adapter.overridingGenerated)} select ${names} from ${table} ${none}`,
  ]
  const updates = load.kind === 'upsert' || load.kind === 'history' || deletes.kind === 'soft'
  if (updates && changed !== undefined)
    statements.push(sql`update ${table} set ${columnName(changed)} = ${columnName(changed)} ${none}`)
  if (load.kind === 'replace' || deletes.kind === 'hard') statements.push(sql`delete from ${table} ${none}`)
  const faults: Checked[] = []
  for (const statement of statements) {
    const explained = compile(adapter, sql`explain ${statement}`)
    await connection.query(explained.sql, explained.parameters).catch((error: Error) => {
      // As one that has waited for somebody's lock: no right is missing.
      if (error instanceof TransientError) throw error
      const where = `${definition.database}.${definition.table}`
      const what = explained.sql.split(' ')[1]
      faults.push(
        found(
          'write',
          'broken',
          `rows of ${where} cannot be written (${what}), so each load would fail: the user of ${definition.database} needs the right to ${what}; grant it: ${error.message}`,
        ),
      )
    })
  }
  return faults.length > 0
    ? faults
    : [found('write', 'ok', `${definition.database}.${definition.table} can be written`)]
}

async function examineTriggers(
  { load: { target } }: Pipeline,
  connection: Connection,
  adapter: Adapter,
): Promise<readonly Checked[]> {
  const { database, table } = target.definition
  const statement = compile(adapter, adapter.schema.reasonsToChange(table, '', 'bigint'))
  if ((await connection.query(statement.sql, statement.parameters)).rows.length === 0) return []
  const said = `${database}.${table} has triggers that may change or drop rows before they are written: a row that one drops goes to the quarantine, one that it changes is updated in each run; look whether they are meant for rows that are loaded`
  return [found('triggers', 'warning', said)]
}

async function examineReferring(pipeline: Pipeline): Promise<readonly Checked[]> {
  const { load, deletes } = pipeline
  if (load.kind === 'replace') await refuseReferring(pipeline)
  if (deletes.kind !== 'hard') return []
  const { database, definition } = load.target
  const others = (await foreignKeysTo(database, definition.table)).filter(({ isOwn }) => !isOwn)
  const table = `${definition.database}.${definition.table}`
  return others.map(({ name, table: other, onDelete }) =>
    found(
      'foreign keys',
      'warning',
      `${other} refers to ${table} (${name}, on delete ${onDelete}), and rows of it are deleted: a delete is refused, or takes rows of ${other} along; write deletes: 'soft', or load ${other} in the same workflow`,
    ),
  )
}
