import { mkdirSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { temporaryHome } from '#test/cli/dray-process.ts'
import type { TestMysqlServer } from '#test/services/mysql-process.ts'
import { isRealMysql, startMysqlServer } from '#test/services/mysql-server.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'
import { execute, signInOverTls, tableOf } from './patient.ts'

export const { home, remove } = temporaryHome()
let postgres: TestPostgres
let mysql: TestMysqlServer
let hostile: TestMysqlServer
let silent: Server
let files = 0
let users = 0
/** What takes users and databases away again. */
const farewells: (() => Promise<void>)[] = []

const HOSTILE = ['--default-time-zone=+05:30', '--local-infile=OFF', '--max-allowed-packet=1M', '--read-only=ON']

export type Engine = 'postgres' | 'mysql' | 'sqlite'

/** Starts the servers, one with hostile settings and one that says nothing among them. */
export async function openServers(): Promise<void> {
  silent = createServer(() => {}).listen(0, '127.0.0.1')
  ;[postgres, mysql, hostile] = await Promise.all([
    startPostgres(),
    startMysqlServer(),
    startMysqlServer({ arguments: HOSTILE }),
  ])
}

export async function closeServers(): Promise<void> {
  for (const farewell of farewells) await farewell().catch(() => {})
  silent.close()
  await Promise.all([postgres.stop(), mysql.stop(), hostile.stop()])
}

export function silentPort(): number {
  return (silent.address() as AddressInfo).port
}

export async function made(engine: Engine): Promise<string> {
  if (engine === 'postgres') return postgres.createDatabase()
  if (engine === 'mysql') return mysql.createDatabase()
  files += 1
  mkdirSync(join(home, 'files'), { recursive: true })
  return `sqlite:${join(home, 'files', `${files}.db`)}`
}

/** A source and a target with their tables, in order. */
export async function source(engine: Engine = 'sqlite'): Promise<string> {
  const url = await made(engine)
  await execute(url, tableOf('source', url))
  return url
}

export async function target(engine: Engine = 'sqlite'): Promise<string> {
  const url = await made(engine)
  await execute(url, tableOf('target', url))
  return url
}

/** The URL of a user who has these rights alone; `%` stands for the user, `$` for the database. */
export async function asUser(url: string, ...rights: readonly string[]): Promise<string> {
  users += 1
  const name = `dray_patient_${process.pid}_${users}`
  const isMysql = url.startsWith('mysql:')
  const user = isMysql ? `${name}@'%'` : name
  const database = new URL(url).pathname.slice(1)
  const create = isMysql ? `create user ${user} identified by 'p'` : `create role ${user} login password 'p'`
  await execute(url, create, ...rights.map((right) => right.replaceAll('%u', user).replaceAll('$', database)))
  farewells.push(() =>
    isMysql ? execute(url, `drop user ${user}`) : execute(url, `drop owned by ${user}`, `drop role ${user}`),
  )
  const own = Object.assign(new URL(url), { username: name, password: 'p' }).href
  // A new password is asked for over TLS once, and is known then.
  if (isMysql && isRealMysql) await signInOverTls(own)
  return own
}

export const changed = (
  url: string,
  change: Partial<Record<'password' | 'port' | 'hostname' | 'pathname' | 'search', string>>,
) => Object.assign(new URL(url), change).href

/** A table on a server that is read-only to others, without LOAD DATA, in another zone. */
export async function onHostile(
  side: 'source' | 'target',
  edit: (table: string) => string = (table) => table,
): Promise<string> {
  const url = await hostile.createDatabase()
  await execute(url, edit(tableOf(side, url)))
  return url
}

/** A database in another encoding. */
export async function latin(): Promise<string> {
  const url = await made('postgres')
  const name = `${new URL(url).pathname.slice(1)}_latin`
  await execute(postgres.url, `create database ${name} template template0 encoding 'LATIN1' locale 'C'`)
  farewells.push(() => execute(postgres.url, `drop database ${name} with (force)`))
  const other = changed(url, { pathname: `/${name}` })
  await execute(other, tableOf('target', other))
  return other
}

export const inOrder = async () => ({ src: await source(), dst: await target() })

export const src = async (url: Promise<string>) => ({ src: await url, dst: await target() })
export const dst = async (url: Promise<string>) => ({ src: await source(), dst: await url })
export const altered = async (url: Promise<string>, ...statements: string[]) => {
  await execute(await url, ...statements)
  return url
}
