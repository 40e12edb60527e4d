import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createConnection } from 'mysql2/promise'
import { installMariaDB } from './mariadb-package.ts'

export interface TestMariaDB {
  /** `mysql://` URL of the server, as a user who may do everything. */
  readonly url: string
  /** Makes an empty utf8mb4 database; returns its URL. */
  createDatabase(): Promise<string>
  stop(): Promise<void>
}

export interface UnavailableMariaDB {
  /** A sentence that says why there is no server. */
  readonly unavailable: string
}

export interface MariaDBOptions {
  /**
   * Options of `mariadbd` that the test is about, e.g. `--default-time-zone=+02:00`; they ask for a server of its own.
   */
  readonly arguments?: readonly string[]
  /** The zone of the server's system, e.g. `EET-2EEST,M3.5.0/3,M10.5.0/4`; with `arguments`. */
  readonly systemTimeZone?: string
}

/**
 * A MariaDB server for tests: databases of TEST_MYSQL_URL, which `stop` drops again, or else a private `mariadbd` in a
 * temporary folder, which ends with this process however that ends. Installs Debian's package when it is missing and
 * may be installed, unless TEST_MYSQL_UNAVAILABLE says why that was in vain.
 */
export async function startMariaDB(options: MariaDBOptions = {}): Promise<TestMariaDB | UnavailableMariaDB> {
  const url = process.env.TEST_MYSQL_URL
  if (url && !options.arguments) return serve(url, async (made) => dropDatabases(url, made))
  const { TEST_MYSQL_UNAVAILABLE: unavailable } = process.env
  if (unavailable) return { unavailable }
  let server = findProgram('mariadbd')
  if (!server) {
    const refusal = await installMariaDB()
    server = findProgram('mariadbd')
    if (!server) return { unavailable: refusal ?? 'The package mariadb-server was installed, but has no mariadbd.' }
  }
  const installer = findProgram('mariadb-install-db')
  if (!installer) return { unavailable: `There is a mariadbd, but no mariadb-install-db beside it.` }
  return own(server, installer, options)
}

/** A server that starts removes the temporary tables that it finds in its folder for them, another server's as well. */
const temporaryOf = (folder: string) => `--tmpdir=${join(folder, 'tmp')}`

const SMALL = [
  '--innodb-data-file-path=ibdata1:4M:autoextend',
  '--innodb-flush-log-at-trx-commit=0',
  '--skip-name-resolve',
]

async function own(server: string, installer: string, options: MariaDBOptions): Promise<TestMariaDB> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-mariadb-'))
  await chmod(folder, 0o777)
  await mkdir(join(folder, 'tmp'))
  await chmod(join(folder, 'tmp'), 0o777)
  const user = process.getuid?.() === 0 ? ['--user=mysql'] : []
  try {
    await initialise(installer, folder, user)
    const password = randomBytes(12).toString('hex')
    const port = await freePort()
    const socket = join(folder, 'socket')
    const mariadbd = supervise(
      folder,
      server,
      [
        '--no-defaults',
        `--datadir=${join(folder, 'data')}`,
        temporaryOf(folder),
        ...user,
        ...SMALL,
        `--socket=${socket}`,
        `--port=${port}`,
        '--bind-address=127.0.0.1',
        `--pid-file=${join(folder, 'pid')}`,
        `--log-error=${join(folder, 'log')}`,
        '--innodb-buffer-pool-size=256M',
        '--innodb-log-file-size=192M',
        '--local-infile=ON',
        '--character-set-server=utf8mb4',
        '--performance-schema=OFF',
        '--default-time-zone=+00:00',
        ...(options.arguments ?? []),
      ],
      options.systemTimeZone,
    )
    await ready(socket, mariadbd.ended, folder, password)
    return serve(`mysql://dray:${password}@127.0.0.1:${port}/`, mariadbd.stop)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

async function initialise(installer: string, folder: string, user: readonly string[]): Promise<void> {
  const child = spawn(
    installer,
    [
      '--no-defaults',
      `--datadir=${join(folder, 'data')}`,
      temporaryOf(folder),
      ...user,
      ...SMALL,
      '--innodb-log-file-size=8M',
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  child.stdout.on('data', (data) => (output += data))
  child.stderr.on('data', (data) => (output += data))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`mariadb-install-db ended with ${code}:\n${output}`)
}

// The shell holds the read end of a pipe from this process: when this process ends, in whatever way, `cat` sees the end
// of the file and the server is killed and its folder removed. It has a session of its own, so Ctrl-C does not reach
// it.
const SUPERVISOR =
  'folder=$1; shift; "$@" & server=$!; cat >/dev/null; kill -9 $server; wait $server 2>/dev/null; rm -rf "$folder"'

function supervise(folder: string, server: string, arguments_: readonly string[], zone?: string) {
  const child = spawn('/bin/sh', ['-c', SUPERVISOR, 'sh', folder, server, ...arguments_], {
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
        throw new Error(`mariadbd did not start:\n${await readFile(join(folder, 'log'), 'utf8').catch(() => '')}`, {
          cause: error,
        })
      }
      await delay(20)
    }
  }
}

function serve(url: string, end: (made: readonly string[]) => Promise<void>): TestMariaDB {
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

function findProgram(name: string): string | undefined {
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/bin',
    '/usr/local/sbin',
    '/usr/local/bin',
  ]
  const more = ['/usr/local/mysql/bin', '/opt/homebrew/bin', '/usr/libexec']
  return [...folders, ...more].map((folder) => join(folder, name)).find((path) => existsSync(path))
}
