import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigurationError, TerminalError } from 'dray/internal/errors.ts'
import { Client, escapeIdentifier } from 'pg'
import { type FolderLock, takeFolderLock } from './folder-lock.ts'
import { type Account, serverAccount } from './postgres/account.ts'
import { postgresBinaries } from './postgres/binaries.ts'
import { ensureCluster, logTail, serverFolder, serverPassword } from './postgres/cluster.ts'
import { startGuarded } from './postgres/guarded-process.ts'
import { clearRemains, type Postmaster, readPostmaster } from './postgres/postmaster-file.ts'

export interface PostgresServerOptions {
  /** Holds the data, the password and the log; made when missing, used again when it exists. */
  readonly folder: string
  /** A free one by default. */
  readonly port?: number
  /** False: faster, but a power cut may destroy the data; for tests. */
  readonly durable?: boolean
  /** How many connections it lets in at once; 100 by default. */
  readonly maxConnections?: number
}

export interface PostgresServer {
  /** `postgres://` URL of the maintenance database. */
  readonly url: string
  /** Makes the database unless it exists; returns its URL. */
  ensureDatabase(name: string): Promise<string>
  /** Resolves when the server has ended, for whatever reason. */
  readonly ended: Promise<void>
  /** Resolves when the server has ended. */
  stop(): Promise<void>
}

/**
 * Starts the embedded PostgreSQL over a folder. It listens on 127.0.0.1 only and ends with this process, even if that
 * is killed. One process at a time has the folder; another waits up to 20 s for it.
 */
export async function startPostgresServer(options: PostgresServerOptions): Promise<PostgresServer> {
  if (process.platform === 'win32') {
    throw new ConfigurationError('The embedded PostgreSQL needs Linux or macOS; use WSL, or set the database URLs.')
  }
  const account = await serverAccount()
  const folder = await serverFolder(options.folder, account)
  const lock = await lockFolder(folder)
  try {
    const started = await launch(folder, account, options)
    const { port } = started.postmaster
    const { ended } = started.process
    const stop = () => started.process.stop().finally(() => lock.release())
    return { ...server(port, await serverPassword(folder), stop), ended: ended.finally(() => lock.release()) }
  } catch (error) {
    lock.release()
    throw error
  }
}

async function lockFolder(folder: string): Promise<FolderLock> {
  for (const patience = Date.now() + 20_000; Date.now() < patience; await sleep(25)) {
    const lock = takeFolderLock(join(folder, 'lock'))
    if (lock) return lock
  }
  throw new ConfigurationError(`Another process uses the PostgreSQL in ${folder}; wait until it ends, or stop it.`)
}

async function launch(folder: string, account: Account | null, options: PostgresServerOptions) {
  const binaries = await postgresBinaries(account)
  const data = join(folder, 'data')
  await clearRemains(data)
  await ensureCluster(folder, binaries, account)
  const log = join(folder, 'server.log')
  for (const patience = Date.now() + 10_000; ; await sleep(100)) {
    const settings = serverSettings(options.port ?? (await freePort()), options)
    const process = startGuarded([binaries.postgres, '-D', data, ...settings], account, log)
    const postmaster = await untilReady(data, process.ended)
    if (postmaster) return { process, postmaster }
    const said = await logTail(log)
    if (Date.now() < patience && isHeldByTheDead(said)) continue
    throw new TerminalError(`The embedded PostgreSQL in ${folder} did not start. Its log says:\n${said}`)
  }
}

/** The processes of a server that was killed end a moment after it. */
function isHeldByTheDead(log: string): boolean {
  return log.includes('pre-existing shared memory block')
}

async function untilReady(data: string, ended: Promise<void>): Promise<Postmaster | null> {
  let waiting = true
  ended.then(() => {
    waiting = false
  })
  while (waiting) {
    const postmaster = await readPostmaster(data)
    if (postmaster?.ready) return postmaster
    await sleep(10)
  }
  return null
}

function serverSettings(
  port: number,
  { durable = true, maxConnections = 100 }: Pick<PostgresServerOptions, 'durable' | 'maxConnections'>,
): string[] {
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    `max_connections=${maxConnections}`,
    'max_prepared_transactions=20',
    ...(durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
  ]
  return settings.flatMap((setting) => ['-c', setting])
}

function server(port: number, password: string, stop: () => Promise<void>): Omit<PostgresServer, 'ended'> {
  const urlOf = (database: string) =>
    `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/${encodeURIComponent(database)}`
  const url = urlOf('postgres')
  let stopped: Promise<void> | undefined
  return {
    url,
    async ensureDatabase(name) {
      await createDatabase(url, name)
      return urlOf(name)
    },
    stop() {
      stopped ??= stop()
      return stopped
    },
  }
}

async function createDatabase(url: string, name: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(`CREATE DATABASE ${escapeIdentifier(name)}`)
  } catch (error) {
    const duplicate = ['42P04', '23505'].includes((error as { code?: string }).code ?? '')
    if (!duplicate) throw error
  } finally {
    await client.end()
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => probe.once('listening', resolve))
  const { port } = probe.address() as { port: number }
  await new Promise((resolve) => probe.close(resolve))
  return port
}
