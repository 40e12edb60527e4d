import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createConnection } from 'mysql2/promise'

export interface TestMysqlServer {
  /** `mysql://` URL of the server, as a user who may do everything. */
  readonly url: string
  /** Makes an empty utf8mb4 database; returns its URL. */
  createDatabase(): Promise<string>
  stop(): Promise<void>
}

export interface UnavailableServer {
  /** A sentence that says why there is no server. */
  readonly unavailable: string
}

export interface MysqlServerOptions {
  /** Options of the server that the test is about, e.g. `--default-time-zone=+02:00`; they ask for one of its own. */
  readonly arguments?: readonly string[]
  /** The zone of the server's system, e.g. `EET-2EEST,M3.5.0/3,M10.5.0/4`; with `arguments`. */
  readonly systemTimeZone?: string
}

/** How a server is started over its files, which are removed when it ends. */
interface Program {
  readonly folder: string
  readonly command: readonly string[]
  readonly systemTimeZone: string | undefined
}

/** What both servers are told beside where their files are. */
const COMMON = [
  '--bind-address=127.0.0.1',
  '--max-connections=500',
  '--innodb-buffer-pool-size=256M',
  '--innodb-flush-log-at-trx-commit=0',
  '--skip-name-resolve',
  '--local-infile=ON',
  '--character-set-server=utf8mb4',
  '--performance-schema=OFF',
  '--default-time-zone=+00:00',
]

/** Starts a server that ends with this process however that ends, and waits until it answers. */
export async function startProcess({ folder, command, systemTimeZone }: Program, options: readonly string[]) {
  const password = randomBytes(12).toString('hex')
  const port = await freePort()
  const socket = join(folder, 'socket')
  const places = [`--socket=${socket}`, `--port=${port}`, `--pid-file=${join(folder, 'pid')}`]
  const all = [...command, ...places, `--log-error=${join(folder, 'log')}`, ...COMMON, ...options]
  const server = supervise(folder, all, systemTimeZone)
  try {
    await ready(socket, server.ended, folder, password)
    return serve(`mysql://dray:${password}@127.0.0.1:${port}/`, server.stop)
  } catch (error) {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** Databases of a server that runs already, which `stop` drops again. */
export function borrowed(url: string): TestMysqlServer {
  return serve(url, (made) => dropDatabases(url, made))
}

// The shell holds the read end of a pipe from this process: when this process ends, in whatever way, `cat` sees the end
// of the file and the server is killed and its folder removed. It has a session of its own, so Ctrl-C does not reach
// it.
const SUPERVISOR =
  'folder=$1; shift; "$@" & server=$!; cat >/dev/null; kill -9 $server; wait $server 2>/dev/null; rm -rf "$folder"'

function supervise(folder: string, command: readonly string[], zone: string | undefined) {
  const child = spawn('/bin/sh', ['-c', SUPERVISOR, 'sh', folder, ...command], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: { ...process.env, ...(zone === undefined ? {} : { TZ: zone }) },
  })
  const ended = once(child, 'exit')
  child.unref()
  if ('unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref()
  child.stdin.on('error', () => {})
  return {
    ended,
    async stop() {
      child.ref()
      child.stdin.end()
      await ended
    },
  }
}

async function ready(socket: string, ended: Promise<unknown>, folder: string, password: string): Promise<void> {
  let gone = false
  ended.then(() => {
    gone = true
  })
  const deadline = Date.now() + 30_000
  for (;;) {
    try {
      const connection = await createConnection({ socketPath: socket, user: 'root' })
      await connection.query(`CREATE USER dray@'127.0.0.1' IDENTIFIED BY '${password}'`)
      await connection.query(`GRANT ALL ON *.* TO dray@'127.0.0.1' WITH GRANT OPTION`)
      await connection.end()
      return
    } catch (error) {
      const code = (error as { code?: string }).code
      if (gone || Date.now() > deadline || (code !== 'ENOENT' && code !== 'ECONNREFUSED')) {
        throw new Error(`The server did not start:\n${await readFile(join(folder, 'log'), 'utf8').catch(() => '')}`, {
          cause: error,
        })
      }
      await delay(20)
    }
  }
}

function serve(url: string, end: (made: readonly string[]) => Promise<void>): TestMysqlServer {
  const made: string[] = []
  return {
    url,
    async createDatabase() {
      const name = `test_${randomBytes(6).toString('hex')}`
      const connection = await createConnection(url)
      await connection.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci`)
      await connection.end()
      made.push(name)
      const database = new URL(url)
      database.pathname = `/${name}`
      return database.href
    },
    stop: () => end(made.splice(0)),
  }
}

async function dropDatabases(url: string, names: readonly string[]): Promise<void> {
  const connection = await createConnection(url)
  for (const name of names) await connection.query(`DROP DATABASE IF EXISTS ${name}`)
  await connection.end()
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
