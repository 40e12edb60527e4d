import { execFileSync } from 'node:child_process'
import { chmod, cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { serverAccount } from 'dray-infra/internal/local/postgres/account.ts'
import { postgresBinaries } from 'dray-infra/internal/local/postgres/binaries.ts'
import { startGuarded } from 'dray-infra/internal/local/postgres/guarded-process.ts'
import { type PostgresServer, startPostgresServer } from 'dray-infra/internal/local/postgres.ts'
import { Client } from 'pg'

/** A PostgreSQL with `wal_level` logical, and a standby that streams from it. */
export interface ReplicatedPostgres {
  readonly primary: PostgresServer
  /** The URL of a database on the standby. */
  standbyUrl(primaryUrl: string): string
  stop(): Promise<void>
}

export async function startReplicatedPostgres(): Promise<ReplicatedPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-standby-'))
  await chmod(folder, 0o755)
  const [main, copy] = [join(folder, 'primary'), join(folder, 'standby')]
  const [port, standbyPort] = [await freePort(), await freePort()]
  const first = await startPostgresServer({ folder: main, port, durable: false })
  await statement(first.url, "alter system set wal_level = 'logical'")
  // An idle primary speaks after half of it.
  await statement(first.url, "alter system set wal_sender_timeout = '2s'")
  await first.stop()
  await cp(main, copy, { recursive: true, preserveTimestamps: true })
  const primary = await startPostgresServer({ folder: main, port, durable: false })
  const account = await serverAccount()
  const data = join(copy, 'data')
  await writeFile(join(data, 'standby.signal'), '')
  owned(copy, account)
  const { postgres } = await postgresBinaries(account)
  const { password } = new URL(primary.url)
  const settings = [
    `port=${standbyPort}`,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_prepared_transactions=20',
    'fsync=off',
    `primary_conninfo=host=127.0.0.1 port=${port} user=postgres password=${decodeURIComponent(password)}`,
  ]
  const standby = startGuarded(
    [postgres, '-D', data, ...settings.flatMap((setting) => ['-c', setting])],
    account,
    join(folder, 'standby.log'),
  )
  const standbyUrl = (primaryUrl: string) => {
    const url = new URL(primaryUrl)
    url.port = String(standbyPort)
    return url.href
  }
  await untilReady(standbyUrl(primary.url))
  return {
    primary,
    standbyUrl,
    async stop() {
      await standby.stop()
      await primary.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A copy that root has made belongs to root. */
function owned(folder: string, account: { readonly uid: number; readonly gid: number } | null): void {
  if (account === null) return
  execFileSync('chown', ['-R', `${account.uid}:${account.gid}`, folder])
}

async function untilReady(url: string): Promise<void> {
  for (const patience = Date.now() + 30_000; ; await delay(50)) {
    try {
      await statement(url, 'select 1')
      return
    } catch (error) {
      if (Date.now() > patience) throw error
    }
  }
}

async function statement(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  await client.query(sql)
  await client.end()
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => probe.once('listening', resolve))
  const { port } = probe.address() as { port: number }
  await new Promise((resolve) => probe.close(resolve))
  return port
}
