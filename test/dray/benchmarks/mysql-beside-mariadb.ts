import { urlVariable } from 'dray/internal/database/database-url.ts'
import { ContenderProcess } from './contender-process.ts'
import { type BenchmarkServer, mariadbServer, mysqlServer, postgresServer } from './databases.ts'
import { interleaved, type Measured, type Result, rateResult } from './measure.ts'
import { source, target } from './order-pipelines.ts'
import { fillOrders, orderTables, resetTarget } from './order-tables.ts'
import { loadedBy, prepare, warmUp } from './pipeline.ts'
import { openStagedRuns } from './staged-run.ts'

const ROUNDS = 3

/** Works of one server, by their names; each returns its milliseconds. */
interface Works {
  readonly times: Readonly<Record<string, () => Promise<number>>>
  close(): Promise<void>
}

/** What Dray does, on MySQL and on MariaDB in turns; nothing where one of them is missing. */
export async function mysqlBesideMariadb(rows: number): Promise<Result[]> {
  const mariadb = await mariadbServer()
  const mysql = await mysqlServer()
  if (mariadb === null || mysql === null) return []
  const postgres = await postgresServer()
  return [
    ...(await compared(rows, await records(mariadb, rows), await records(mysql, rows))),
    ...(await compared(rows, await staged(postgres, mariadb, rows), await staged(postgres, mysql, rows))),
    ...(await compared(rows, await staged(mariadb, postgres, rows), await staged(mysql, postgres, rows))),
  ]
}

async function compared(rows: number, mariadb: Works, mysql: Works): Promise<Result[]> {
  const results: Result[] = []
  for (const [name, time] of Object.entries(mysql.times)) {
    const measured: Record<'MariaDB' | 'MySQL', Measured> = await interleaved(
      { MariaDB: mariadb.times[name] as () => Promise<number>, MySQL: time },
      ROUNDS,
    )
    results.push(
      rateResult(`MySQL beside MariaDB: ${name}, ${rows} rows`, rows, measured.MySQL, measured.MariaDB, null),
    )
  }
  await mariadb.close()
  await mysql.close()
  return results
}

async function records(server: BenchmarkServer, rows: number): Promise<Works> {
  const url = await server.createDatabase()
  const tables = orderTables(`bench-${new URL(url).port}`)
  await fillOrders(tables, url, rows)
  const contender = await ContenderProcess.start('dray', server.engine, url)
  await contender.run({ work: 'upsert', rows: Math.min(rows, 5_000), edition: 0 })
  await contender.run({ work: 'read', rows, edition: 0 })
  const upsert = (state: 'empty' | 'full') => async () => {
    await resetTarget(tables, state)
    return contender.run({ work: 'upsert', rows, edition: state === 'full' ? 1 : 0 })
  }
  return {
    times: {
      'read as records': () => contender.run({ work: 'read', rows, edition: 0 }),
      'upsertAll into an empty table': upsert('empty'),
      'upsertAll into a full table': upsert('full'),
    },
    async close() {
      await contender.stop()
      await tables.database.close()
    },
  }
}

async function staged(from: BenchmarkServer, into: BenchmarkServer, rows: number): Promise<Works> {
  const urls = await prepare(from, into, rows)
  const runs = await openStagedRuns()
  await warmUp(runs)
  // The handlers keep the databases that they were started with; what fills and counts is of this process.
  const bind = async () => {
    await Promise.all([source.database.close(), target.database.close()])
    process.env[urlVariable(source.database.name)] = urls.source
    process.env[urlVariable(target.database.name)] = urls.target
  }
  const run = (state: 'empty' | 'full') => async () => {
    await bind()
    return loadedBy(() => runs.run(), state, rows)
  }
  const way = from.engine === 'postgres' ? 'from PostgreSQL into it' : 'from it into PostgreSQL'
  return {
    times: {
      [`staged pipeline ${way}, empty target`]: run('empty'),
      [`staged pipeline ${way}, full target`]: run('full'),
    },
    async close() {
      await runs.close()
      await Promise.all([source.database.close(), target.database.close()])
    },
  }
}
