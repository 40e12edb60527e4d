import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import type { Connection } from '#dray/database/adapter.ts'
import type { Database } from '#dray/database/database.ts'
import { databaseUrl, mustVerify, urlVariable } from '#dray/database/database-url.ts'
import {
  type Checked,
  type DatabaseUse,
  found,
  type Health,
  type ServerFacts,
  type ServerPlace,
} from '#dray/database/health.ts'
import { healthOf } from '#dray/database/health-of.ts'
import { ConfigurationError, TransientError } from '#dray/errors.ts'
import { migrationsLeft } from '#dray/pipeline/landing/migrate.ts'
import { attempt, NOT_IN_TIME } from './attempt.ts'

const REACH_MILLISECONDS = 5_000
/** Applications stamp rows by clocks of machines like this one; the lag bears 2 s. */
const MOST_SKEW_MILLISECONDS = 5_000
const LOOPBACK = /^(localhost|127(\.\d+){3}|::1)$/i

export interface Examined {
  readonly checks: readonly Checked[]
  /** It can be worked with, so that its tables can be looked at. */
  readonly isConnected: boolean
}

export interface ExaminedUse extends DatabaseUse {
  /** Connections that a run opens at once, at most; and those of its largest pipeline. */
  readonly connections: { readonly atOnce: number; readonly ofOne: number }
}

/** Connects to a database as a run does, and asks what a run needs of it. Nothing is changed. */
export async function examineDatabase(
  database: Database,
  use: ExaminedUse,
  now: () => number = Date.now,
): Promise<Examined> {
  const { name } = database
  const reached = await reach(database)
  if ('fault' in reached) return { checks: [reached.fault], isConnected: false }
  const { health, place } = reached
  const connected = await attempt('connect', name, () =>
    database.withConnection(async (connection) => {
      const before = now()
      const facts = await health.facts(connection)
      const clock = clockOf(name, facts, (before + now()) / 2)
      return [connectedTo(name, facts, place), ...clock, ...budget(name, facts, use)]
    }),
  )
  if (connected.some(({ check }) => check === 'connect') && connected.length === 1 && connected[0]?.verdict !== 'ok')
    return { checks: connected.map((one) => notConnected(one, name, place)), isConnected: false }
  const remarks = await attempt('rights', name, () =>
    database.withConnection((connection) => health.remarks(connection, name, use)),
  )
  const isReadOnly = remarks.some(({ verdict }) => verdict === 'broken')
  const writes = use.isWritten && !isReadOnly ? await writable(database, health) : []
  return { checks: [...connected, ...remarks, ...writes], isConnected: true }
}

/** The URL, its name and its port, before anybody signs in. */
async function reach(
  database: Database,
): Promise<{ readonly health: Health; readonly place: ServerPlace | null } | { readonly fault: Checked }> {
  const { name } = database
  try {
    await database.adapter()
    const url = databaseUrl(name)
    const health = await healthOf(url)
    const place = health.placeOf({ name, url, verified: mustVerify(name) })
    const fault = place === null ? null : await unreachable(name, place)
    return fault === null ? { health, place } : { fault }
  } catch (error) {
    return { fault: found('url', 'broken', (error as Error).message) }
  }
}

async function unreachable(name: string, { host, port }: ServerPlace): Promise<Checked | null> {
  const variable = urlVariable(name)
  try {
    await inTime(lookup(host))
  } catch (error) {
    return found(
      'dns',
      'broken',
      `${name}: the host ${host} is not known here (${codeOf(error)}), so nothing can connect to it; correct the host in ${variable}, or join the network (VPN) that knows it`,
    )
  }
  const refusal = await knock(host, port)
  if (refusal === null) return null
  const isSilent = refusal === 'ETIMEDOUT'
  const what = isSilent
    ? `does not answer within ${REACH_MILLISECONDS / 1000} s`
    : `cannot be connected to (${refusal})`
  const remedy = isSilent
    ? `open the way to it (firewall, security group, VPN), or correct host and port in ${variable}`
    : `start the server, or correct host and port in ${variable}`
  return found('tcp', 'broken', `${name}: ${host}:${port} ${what}, so nothing can be read or loaded; ${remedy}`)
}

/** Null where somebody listens; else the code of what happened. */
function knock(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: REACH_MILLISECONDS })
    const end = (code: string | null) => {
      socket.destroy()
      resolve(code)
    }
    socket.once('connect', () => end(null))
    socket.once('timeout', () => end('ETIMEDOUT'))
    socket.once('error', (error) => end(codeOf(error)))
  })
}

function inTime<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })
    const timer = setTimeout(() => reject(late), REACH_MILLISECONDS)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code ?? (error as Error).message)
}

/** A run would wait, or fail and be tried again. */
function notConnected({ said, verdict }: Checked, name: string, place: ServerPlace | null): Checked {
  if (verdict !== 'unknown' || !NOT_IN_TIME.test(said)) return found('connect', 'broken', said)
  const where = place === null ? name : `${name} (${place.host}:${place.port})`
  return found(
    'connect',
    'broken',
    `${where} does not answer a sign-in within 5 s, so a run would wait for it; look whether the server is overloaded, or another program listens there, and correct ${urlVariable(name)}`,
  )
}

function connectedTo(name: string, { version, user, tls }: ServerFacts, place: ServerPlace | null): Checked {
  if (place === null) return found('connect', 'ok', `${version}${user === '' ? '' : ` as ${user}`}`)
  const where = `${version} at ${place.host}:${place.port} as ${user}`
  if (tls !== null) return found('connect', 'ok', `${where}, ${tls}`)
  if (LOOPBACK.test(place.host)) return found('connect', 'ok', `${where}, on this machine without TLS`)
  return found(
    'connect',
    'warning',
    `${where} without TLS, so whoever is on the way reads its rows and its password; take sslmode out of ${urlVariable(name)}`,
  )
}

function clockOf(name: string, { clock }: ServerFacts, here: number): Checked[] {
  if (clock === null) return []
  const skew = clock - here
  const seconds = Math.abs(skew / 1000).toFixed(1)
  if (Math.abs(skew) <= MOST_SKEW_MILLISECONDS) return []
  return [
    found(
      'clock',
      'warning',
      `the clock of ${name} is ${seconds} s ${skew > 0 ? 'ahead of' : 'behind'} this machine's, so rows that applications stamp by another clock than the server's can be missed; set both by NTP`,
    ),
  ]
}

/** Two sessions may be Dray's here and now, one of them this one. */
function budget(name: string, { limits }: ServerFacts, { connections }: ExaminedUse): Checked[] {
  if (limits.length === 0) return []
  const free = (limit: { readonly most: number; readonly used: number }) => limit.most - limit.used + 1
  const [tightest] = limits.toSorted((one, other) => free(one) - free(other))
  if (tightest === undefined) return []
  const { atOnce, ofOne } = connections
  const left = Math.max(0, free(tightest))
  const counts = `${left} of the ${tightest.most} connections ${tightest.what} of ${name} are free`
  if (tightest.most < ofOne) {
    return [
      found(
        'connections',
        'broken',
        `the limit ${tightest.what} of ${name} is ${tightest.most}, and one pipeline opens ${ofOne} connections at once, so its partitions would fail; raise the limit, or lower concurrency of the pipeline`,
      ),
    ]
  }
  if (left >= atOnce) return [found('connections', 'ok', `${counts}; a run opens ${atOnce} at most`)]
  return [
    found(
      'connections',
      'warning',
      `${counts}, and a run may open ${atOnce}, so some of its partitions would fail and be tried again; raise the limit, or lower concurrency of the pipelines`,
    ),
  ]
}

/** Loads write to temporary tables, in a transaction; Dray's own tables lie beside the targets. */
async function writable(database: Database, health: Health): Promise<readonly Checked[]> {
  const { name } = database
  const temporary = health.beginsWithoutLock
    ? await attempt('temporary tables', name, () =>
        database.withConnection(async (connection) => {
          await makeTemporaryTable(name, connection)
          return [found('temporary tables', 'ok', 'makes temporary tables')]
        }),
      )
    : []
  const own = await attempt('own tables', name, async () => {
    if ((await migrationsLeft(database)) === 0) return [found('own tables', 'ok', 'has the tables dray_…')]
    const fault = await database.withConnection((connection) => health.cannotMakeTables(connection))
    if (fault === null) return [found('own tables', 'ok', 'may make tables')]
    const absent = `${name}: Dray's own tables (dray_…) are not there in their newest version`
    return [found('own tables', 'broken', `${absent}, and without them nothing is loaded: ${fault}`)]
  })
  return [...temporary, ...own]
}

async function makeTemporaryTable(name: string, connection: Connection): Promise<void> {
  try {
    await connection.begin('write')
    // It goes with the transaction, or with the session.
    await connection.query('create temporary table if not exists dray_doctor (id integer)')
  } catch (error) {
    if (error instanceof TransientError) throw error
    throw new ConfigurationError(
      `${name}: no temporary table can be made, by which each load works, so nothing can be loaded; grant TEMPORARY on the database (PostgreSQL) or CREATE TEMPORARY TABLES (MySQL) to its user, or bind ${name} to a server that can be written: ${(error as Error).message}`,
      { cause: error },
    )
  } finally {
    await connection.rollback().catch(() => {})
  }
}
