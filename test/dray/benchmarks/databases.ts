import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgresServer } from 'dray-infra/internal/local/postgres.ts'
import { startMariaDB } from '#test/services/mariadb.ts'
import { startMySQL } from '#test/services/mysql.ts'
import type { Engine } from './contenders/contender.ts'
import { progress } from './measure.ts'

/** A server whose transactions survive a power cut, as those that the figures are about do. */
export interface BenchmarkServer {
  readonly engine: Engine
  createDatabase(): Promise<string>
  stop(): Promise<void>
}

let postgres: Promise<BenchmarkServer> | null = null
let mariadb: Promise<BenchmarkServer | null> | null = null
let mysql: Promise<BenchmarkServer | null> | null = null

/** The embedded PostgreSQL with its own defaults; BENCH_POSTGRES_URL is not asked for, so that settings are known. */
export function postgresServer(): Promise<BenchmarkServer> {
  postgres ??= startPostgres()
  return postgres
}

/** A private MariaDB, or null (and a line on standard error) where there is none. */
export function mariadbServer(): Promise<BenchmarkServer | null> {
  mariadb ??= startDurable('MariaDB', startMariaDB, ['--innodb-log-file-size=1G'])
  return mariadb
}

/** A private MySQL of the same size, or null (and a line on standard error) where there is none. */
export function mysqlServer(): Promise<BenchmarkServer | null> {
  mysql ??= startDurable('MySQL', startMySQL, ['--innodb-redo-log-capacity=1G', '--sync-binlog=0', '--disable-log-bin'])
  return mysql
}

export async function stopServers(): Promise<void> {
  await (await postgres)?.stop()
  await (await mariadb)?.stop()
  await (await mysql)?.stop()
}

async function startPostgres(): Promise<BenchmarkServer> {
  progress('starting PostgreSQL')
  const folder = await mkdtemp(join(tmpdir(), 'dray-bench-'))
  await chmod(folder, 0o755)
  const path = join(folder, 'postgres')
  const server = await startPostgresServer({ folder: path, durable: true })
  let made = 0
  return {
    engine: 'postgres',
    createDatabase: () => {
      made += 1
      return server.ensureDatabase(`bench_${made}`)
    },
    async stop() {
      await server.stop()
      await rm(await realpath(path), { recursive: true, force: true })
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function startDurable(
  name: string,
  start: typeof startMariaDB,
  log: readonly string[],
): Promise<BenchmarkServer | null> {
  progress(`starting ${name}`)
  const server = await start({
    arguments: ['--innodb-flush-log-at-trx-commit=1', '--innodb-buffer-pool-size=1G', ...log],
  })
  if ('unavailable' in server) {
    progress(`${name} is left out: ${server.unavailable}`)
    return null
  }
  return { engine: 'mysql', createDatabase: () => server.createDatabase(), stop: () => server.stop() }
}
