import { sql } from 'kysely'
import { columnName, tableName } from '#dray/active-record/sql.ts'
import { type Checked, found } from '#dray/database/health.ts'
import { compile } from '#dray/database/statement.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { lookForTwins } from '#dray/pipeline/landing/foreseen-twins.ts'
import { isKeyDeclaredAlone } from '#dray/pipeline/plan/declared-key.ts'
import { attempt, CHECK_MILLISECONDS } from './attempt.ts'

/** Looks whether rows have the key to themselves where no index of the source says so, as of a view. */
export async function examineDeclaredKey(pipeline: Pipeline): Promise<readonly Checked[]> {
  const { source, cursor } = pipeline.extract
  const { definition, database } = source
  const where = `${definition.database}.${definition.table}`
  const columns = definition.primaryKey.map(columnName)
  const names = definition.primaryKey.map(({ column }) => column).join(', ')
  if (cursor === null) {
    const stops = await attempt('key', where, async () => {
      await lookForTwins(pipeline, null, { signal: AbortSignal.timeout(CHECK_MILLISECONDS), now: Date.now })
      return []
    })
    if (stops.some(({ verdict }) => verdict === 'broken')) return stops
  }
  const checks = await attempt('key', where, () =>
    database.withConnection(async (connection, adapter) => {
      if (!isKeyDeclaredAlone(definition, await connection.describe(definition.table))) return []
      const isMissing = sql.join(
        columns.map((name) => adapter.isNull(name)),
        sql` or `,
      )
      const table = tableName(definition)
      const same = sql`select 1 from ${table} where not (${isMissing}) group by ${sql.join(columns)} having count(*) > 1`
      const count = async (of: typeof same) => {
        const { sql: text, parameters } = compile(adapter, sql`select count(*) from (${of}) as ${sql.id('dray_keys')}`)
        return Number((await connection.query(text, parameters)).rows[0]?.[0])
      }
      const shared = await count(same)
      const missing = await count(sql`select 1 from ${table} where ${isMissing}`)
      return [
        ...(shared === 0 ? [] : [found('key', 'warning', sharedKeys(where, names, shared))]),
        ...(missing === 0 ? [] : [found('key', 'warning', missingKeys(where, names, missing))]),
      ]
    }),
  )
  const said = `whether each row of ${where} has its own key (${names}), which no index holds to, was not found out in time; a run stops at rows that share one`
  return checks.map((one) => (one.verdict === 'unknown' ? found('key', 'unknown', said) : one))
}

function sharedKeys(where: string, names: string, shared: number): string {
  return `${shared} keys (${names}) of ${where} have several rows each, and no index holds to the key which its model declares: of rows that differ the newest by the cursor or the version is loaded, and without one the run stops; make the key whole by primaryKey() of more fields, or correct the view`
}

function missingKeys(where: string, names: string, missing: number): string {
  return `${missing === 1 ? '1 row' : `${missing} rows`} of ${where} ${missing === 1 ? 'has' : 'have'} NULL in the key (${names}) which its model declares, so nothing tells them from each other, and the target may refuse them; fill the key in, or leave such rows out`
}
