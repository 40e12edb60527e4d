import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, escapeIdentifier } from 'pg'
import { ConfigurationError, TerminalError } from '#shared/active-record/errors.ts'
import { type Account, serverAccount } from './postgres/account.ts'
import { type PostgresBinaries, postgresBinaries } from './postgres/binaries.ts'
import { ensureCluster, logTail, serverEnvironment, serverFolder, serverPassword } from './postgres/cluster.ts'
import { firstHolder, guardScript, type Holder, joinHolders } from './postgres/holders.ts'
import { clearRemains, isAlive, type Postmaster, readPostmaster, waitForEnd } from './postgres/postmaster-file.ts'
import { underLock } from './postgres/start-lock.ts'

export interface PostgresServerOptions {
  /** Holds the data, the password and the log; made when missing, used again when it exists. */
  readonly folder: string
  /** A free one by default; ignored when the server runs already. */
  readonly port?: number
  /** False: faster, but a power cut may destroy the data; for tests. */
  readonly durable?: boolean
}

export interface PostgresServer {
  /** `postgres://` URL of the maintenance database. */
  readonly url: string
  /** Makes the database unless it exists; returns its URL. */
  ensureDatabase(name: string): Promise<string>
  /** Lets go of the server; the last process that uses it stops it. */
  stop(): Promise<void>
}

interface Installation {
  readonly folder: string
  readonly data: string
  readonly pipe: string
  readonly account: Account | null
  readonly binaries: PostgresBinaries
}

/**
 * Starts the embedded PostgreSQL over a folder, or joins the one that another process has started over it. It listens
 * on 127.0.0.1 only and ends with the last process that uses it, even if that is killed.
 */
export async function startPostgresServer(options: PostgresServerOptions): Promise<PostgresServer> {
  if (process.platform === 'win32') {
    throw new ConfigurationError('The embedded PostgreSQL needs Linux or macOS; use WSL, or set the database URLs.')
  }
  const account = await serverAccount()
  const folder = await serverFolder(options.folder, account)
  const binaries = await postgresBinaries(account)
  const installation = { folder, data: join(folder, 'data'), pipe: join(folder, 'holders'), account, binaries }
  const { holder, postmaster } = await underLock(
    join(folder, 'lock'),
    async () => (await joinRunning(installation)) ?? (await launch(installation, options)),
  )
  return server(holder, postmaster, await serverPassword(folder))
}

async function joinRunning({ data, pipe }: Installation): Promise<Running | null> {
  const holder = joinHolders(pipe)
  if (!holder) return null
  for (;;) {
    const postmaster = await readPostmaster(data)
    if (!holder.guarded() || (postmaster && !isAlive(postmaster.pid))) break
    if (postmaster?.ready) return { holder, postmaster }
    await sleep(20)
  }
  await holder.release()
  return null
}

interface Running {
  readonly holder: Holder
  readonly postmaster: Postmaster
}

async function launch(installation: Installation, options: PostgresServerOptions): Promise<Running> {
  const { folder, data, pipe, account, binaries } = installation
  await clearRemains(data)
  await ensureCluster(folder, binaries, account)
  const log = join(folder, 'server.log')
  const logFile = openSync(log, 'w', 0o600)
  const { holder, readEnd } = await firstHolder(pipe, account)
  const settings = serverSettings(options.port ?? (await freePort()), options.durable ?? true)
  const guard = spawn('/bin/sh', ['-c', guardScript, 'guard', pipe, binaries.postgres, '-D', data, ...settings], {
    ...account,
    // A session of its own: Ctrl-C in the terminal must not take the database from under a run that ends cleanly.
    detached: true,
    cwd: '/',
    env: serverEnvironment(),
    stdio: [readEnd, logFile, logFile],
  })
  const ended = new Promise<'ended'>((resolve) =>
    guard.once('exit', () => resolve('ended')).once('error', () => resolve('ended')),
  )
  closeSync(readEnd)
  closeSync(logFile)
  guard.unref()
  const postmaster = await Promise.race([untilReady(data), ended])
  if (postmaster !== 'ended') return { holder, postmaster }
  await holder.release()
  throw new TerminalError(`The embedded PostgreSQL in ${folder} did not start. Its log says:\n${await logTail(log)}`)
}

async function untilReady(data: string): Promise<Postmaster> {
  for (;;) {
    const postmaster = await readPostmaster(data)
    if (postmaster?.ready) return postmaster
    await sleep(20)
  }
}

function serverSettings(port: number, durable: boolean): string[] {
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=100',
    'max_prepared_transactions=20',
    ...(durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
  ]
  return settings.flatMap((setting) => ['-c', setting])
}

function server(holder: Holder, { pid, port }: Postmaster, password: string): PostgresServer {
  const urlOf = (database: string) =>
    `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/${encodeURIComponent(database)}`
  const url = urlOf('postgres')
  let stopping: Promise<void> | undefined
  return {
    url,
    async ensureDatabase(name) {
      await createDatabase(url, name)
      return urlOf(name)
    },
    stop() {
      stopping ??= holder.release().then((last) => (last ? waitForEnd(pid) : undefined))
      return stopping
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
