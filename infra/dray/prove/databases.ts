import { setTimeout as delay } from 'node:timers/promises'
import { type Database, database } from 'dray/internal/active-record/database.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { engineOfUrl } from '#dray-infra/project/local-url.ts'

export const ROWS = 2_000
/** As many rows have an amount that the first version of the code rejects. */
export const BAD_ROWS = 5

/** What has to be in the target: by the version of the code that has to have loaded it. */
export type Versions = (id: number, isBad: boolean) => number | null

/** The URL of a schema that does not exist yet, in the database of another URL; on MySQL a schema is a database. */
export function urlOfSchema(url: string, schema: string): string {
  const own = new URL(url)
  if (engineOfUrl(url) === 'mysql') own.pathname = `/${schema}`
  else own.searchParams.set('options', `-c search_path=${schema}`)
  return own.href
}

/** Throws `Configuration` for a URL that functions on AWS could not use. */
export function engineOfServer(variable: string, url: string | undefined): 'postgres' | 'mysql' {
  const engine = engineOfUrl(url ?? '')
  if (url !== undefined && URL.canParse(url) && engine !== null && engine !== 'sqlite') return engine
  throw new ConfigurationError(
    `${variable} is ${url === undefined ? 'not set' : 'not the URL of a server'}, so nothing was proven; set it to postgres://user@host/database or mysql://user@host/database, where schemas may be made, and which this machine and the functions reach.`,
  )
}

/** Runs SQL where a URL leads, by a name that no model of this process has. */
export async function at<T>(name: string, url: string, work: (database: Database) => Promise<T>): Promise<T> {
  process.env[urlVariable(name)] = url
  const opened = database(name)
  try {
    return await work(opened)
  } finally {
    await opened.close()
  }
}

/** Under the names that their variables have. One server may be both. */
function serversOf({ source, target }: Pick<Places, 'source' | 'target'>) {
  const both = [
    { name: 'prove-source', url: source },
    { name: 'prove-target', url: target },
  ]
  return source === target ? both.slice(0, 1) : both
}

/** Throws what a server says that cannot be reached, or does not let the user in. */
export async function checkServers({ source, target }: Pick<Places, 'source' | 'target'>): Promise<void> {
  for (const { name, url } of serversOf({ source, target })) await at(name, url, (server) => server.query('select 1'))
}

/** Makes the schema of the source, with its rows, and that of the target, empty. */
export async function createSchemas(places: Places): Promise<void> {
  const { source, schema } = places
  const moment = engineOfUrl(source) === 'mysql' ? 'datetime(6)' : 'timestamp'
  for (const { name, url } of serversOf(places)) {
    await at(name, url, (server) => server.query(`create schema ${schema}`))
  }
  await inSource(places, async (tables) => {
    await tables.query(
      `create table orders (id bigint primary key, item varchar(100) not null, amount varchar(20) not null, changed_at ${moment} not null)`,
    )
    const rows = Array.from({ length: ROWS }, (_, place) => {
      const id = place + 1
      const amount = id <= BAD_ROWS ? 'oops' : `${id}.50`
      return `(${id}, 'item ${id}', '${amount}', timestamp '2024-01-01 12:00:00')`
    })
    await tables.query(`insert into orders (id, item, amount, changed_at) values ${rows.join(', ')}`)
  })
  await inTarget(places, async (tables) => {
    await tables.query(
      'create table orders (id bigint primary key, item varchar(100) not null, amount varchar(20) not null, version integer not null)',
    )
  })
}

/** A window of `changedSince` leaves out what is younger than its lag. */
const SETTLED_MS = 3_000

/** Gives orders of the source another item, and waits until a run reads them. */
export async function changeOrders(places: Places, which: string, item: string): Promise<void> {
  const now = engineOfUrl(places.source) === 'mysql' ? 'utc_timestamp(6)' : "now() at time zone 'utc'"
  await inSource(places, (tables) =>
    tables.query(`update orders set item = '${item}', changed_at = ${now} where ${which}`),
  )
  await delay(SETTLED_MS)
}

/** Holds what loads these orders of the target while `work` is at it: it waits for their rows. */
export function holdingOrders(places: Places, which: string, work: () => Promise<void>): Promise<void> {
  return inTarget(places, (tables) =>
    tables.transaction(async () => {
      await tables.query(`select id from orders where ${which} for update`)
      await work()
    }),
  )
}

/** Drops the schemas, and all that is in them. Nothing is said where there are none. */
export async function dropSchemas({ source, target, schema }: Places): Promise<void> {
  for (const { name, url } of serversOf({ source, target })) {
    const cascade = engineOfUrl(url) === 'mysql' ? '' : ' cascade'
    await at(name, url, (server) => server.query(`drop schema if exists ${schema}${cascade}`))
  }
}

/** The databases by their URLs, and the schema that is made in each. */
export interface Places {
  readonly source: string
  readonly target: string
  readonly schema: string
}

export function inSource<T>({ source, schema }: Places, work: (tables: Database) => Promise<T>): Promise<T> {
  return at('prove-source', urlOfSchema(source, schema), work)
}

export function inTarget<T>({ target, schema }: Places, work: (tables: Database) => Promise<T>): Promise<T> {
  return at('prove-target', urlOfSchema(target, schema), work)
}

/**
 * Compares the tables row by row, as the databases say them. Throws where a row is missing, or is there and should not
 * be, or is another one; returns how many are there.
 */
export async function compareTables(places: Places, versionOf: Versions): Promise<number> {
  const { rows: source } = await inSource(places, (tables) =>
    tables.query('select id, item, amount from orders order by id'),
  )
  const { rows: target } = await inTarget(places, (tables) =>
    tables.query('select id, item, amount, version from orders order by id'),
  )
  const wanted = source.flatMap(([id, item, amount]) => {
    const version = versionOf(Number(id), amount === 'oops')
    return version === null ? [] : [[id, item, amount === 'oops' ? '0.00' : amount, String(version)]]
  })
  const differing = wanted.findIndex((row, place) => String(row) !== String(target[place]))
  if (wanted.length === target.length && differing === -1) return target.length
  const place = differing === -1 ? wanted.length : differing
  throw new Error(
    `The target has ${target.length} rows, and ${wanted.length} were to be there; the first that differs is ${target[place] ?? 'missing'} instead of ${wanted[place] ?? 'none'}.`,
  )
}
