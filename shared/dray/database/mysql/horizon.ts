import { randomBytes } from 'node:crypto'
import type { Text } from '#dray/block/block.ts'
import type { Settled, SettledOptions } from '../adapter.ts'
import { tableNameOf } from '../table-name.ts'
import { literal } from './bind-literals.ts'
import { type Replication, readReplication } from './replication.ts'
import type { Reply } from './reply.ts'
import type { SessionFacts } from './settings.ts'
import { errorNumber } from './translate.ts'

/** The server's clock and its oldest open transaction, both in UTC, taken before a snapshot is. */
export interface Horizon {
  readonly now: string
  readonly oldest: Text
  /** On a replica: up to where it has replayed its source; null elsewhere, or where the server does not say. */
  readonly replayed: Text
  /** Why other transactions could not be seen; null when they could. */
  readonly reason: string | null
}

const NO_PROCESS_PRIVILEGE = 1227

// innodb_trx tells local time of the server's system, whatever the session's zone. In the hour that comes twice in
// autumn the earlier of its two readings is taken.
const STARTED = `CONVERT_TZ(MIN(trx_started), 'SYSTEM', '+00:00')`
const OLDEST = `SELECT IF(CONVERT_TZ(utc - INTERVAL 1 HOUR, '+00:00', 'SYSTEM') = local, utc - INTERVAL 1 HOUR, utc)
  FROM (SELECT ${STARTED} AS utc, MIN(trx_started) AS local FROM information_schema.innodb_trx
    WHERE trx_mysql_thread_id <> CONNECTION_ID() AND trx_is_read_only = 0) AS open_transactions`

/**
 * The server looks at its transactions anew only when nobody has asked for 0.1 s. Those who wait equally long keep each
 * other from ever seeing more than the old list; so the waits are drawn, and grow.
 */
const CACHED_SECONDS = 0.11
const MOST_DRAWN_SECONDS = 1.2
const STALE = 'the list of open transactions may be older than the time, so only the lag protects from the latest'

type Run = (sql: string) => Promise<Reply>

/**
 * How many looks at the list are tried: within a transaction that has touched no row yet, the mark may never be seen.
 */
const TRIES = { within: 2, alone: 12 }

/** Begins a transaction that reads one state. */
export async function beginSnapshot(run: Run): Promise<void> {
  await run('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ')
  await run('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY')
}

/**
 * Reads the horizon. It must be read before the snapshot is taken: a transaction that commits between the two is in the
 * snapshot then, while one that commits between the snapshot and the look would be in neither.
 */
export async function readHorizon(
  run: Run,
  facts: Pick<SessionFacts, 'isMariaDB' | 'isReadOnly' | 'isOfCluster'>,
  { inTransaction }: { readonly inTransaction: boolean },
): Promise<Horizon> {
  const replication = await readReplication(run, facts)
  if (inTransaction) return look(run, replication, TRIES.within)
  await beginSnapshot(run)
  try {
    return await look(run, replication, TRIES.alone)
  } finally {
    await run('COMMIT')
  }
}

/**
 * Looks at the open transactions. The connection has its own transaction open, whose statements all carry a mark: a
 * list that shows the mark was taken after the time that is returned, whoever made the server take it.
 */
async function look(run: Run, replication: Replication, tries: number): Promise<Horizon> {
  if (replication.reason !== null && !replication.looksHere)
    return lagAlone(run, replication.reason, replication.replayed)
  const mark = randomBytes(8).toString('hex')
  const own = `trx_mysql_thread_id = CONNECTION_ID() AND trx_query LIKE '%${mark}%'`
  try {
    let now: string | undefined
    for (let attempt = 1; ; attempt++) {
      const { rows } = await run(
        `SELECT UTC_TIMESTAMP(6), (${OLDEST}), (SELECT COUNT(*) FROM information_schema.innodb_trx WHERE ${own})`,
      )
      const [clock, oldest, isFresh] = rows[0] as readonly [string, Text, string]
      now ??= clock
      if (isFresh === '1') return { now, oldest, replayed: replication.replayed, reason: replication.reason }
      if (attempt === tries) return { now, oldest, replayed: replication.replayed, reason: replication.reason ?? STALE }
      const drawn = Math.random() * Math.min(CACHED_SECONDS * 1.5 ** attempt, MOST_DRAWN_SECONDS)
      await run(`SELECT SLEEP(${(CACHED_SECONDS + drawn).toFixed(3)}), '${mark}'`)
    }
  } catch (error) {
    if (errorNumber(error) !== NO_PROCESS_PRIVILEGE) throw error
    return lagAlone(run, 'transactions of others cannot be seen without the privilege PROCESS', replication.replayed)
  }
}

async function lagAlone(run: Run, reason: string, replayed: Text): Promise<Horizon> {
  const { rows } = await run('SELECT UTC_TIMESTAMP(6)')
  return { now: rows[0]?.[0] as string, oldest: null, replayed, reason: `${reason}, so only the lag protects` }
}

/**
 * `least(now − lag, oldest − 2 s, replayed − lag)`: a transaction may have taken its time stamps a little before InnoDB
 * saw it.
 */
export async function settled(
  run: Run,
  horizon: Horizon,
  lagSeconds: number,
  { table, unseenLagSeconds = lagSeconds }: SettledOptions = {},
): Promise<Settled> {
  const { now, oldest, replayed } = horizon
  const reason = (table === undefined ? null : await unseenEngine(run, table)) ?? horizon.reason
  const kept = reason === null ? lagSeconds : unseenLagSeconds
  const time = (text: string, seconds: number) =>
    `CAST(${literal(text)} AS DATETIME(6)) - INTERVAL ${seconds.toFixed(6)} SECOND`
  const bounds = [time(now, kept)]
  if (typeof oldest === 'string') bounds.push(time(oldest, 2))
  if (typeof replayed === 'string') bounds.push(time(replayed, kept))
  const texts = bounds.map((bound) => `CAST(${bound} AS DATETIME(6))`)
  const [found] = (await run(`SELECT ${texts.join(', ')}`)).rows as readonly (readonly string[])[]
  const [lagged, ...others] = found as readonly [string, ...string[]]
  const until = [lagged, ...others].sort()[0] as string
  const isOpen = typeof oldest === 'string' && until === found?.[1]
  const held = isOpen
    ? `until a transaction that has been open since ${oldest} UTC has ended`
    : `until the replica has replayed more than up to ${replayed} UTC`
  return {
    until,
    now,
    exact: reason === null,
    reason,
    lagSeconds: kept,
    heldBy: until === lagged ? null : held,
  }
}

/**
 * Other engines have no transactions that could be seen, or have their rows from elsewhere. Null for InnoDB and views.
 */
async function unseenEngine(run: Run, table: string): Promise<string | null> {
  const { schema, name } = tableNameOf(table)
  const { rows } = await run(
    `SELECT engine FROM information_schema.tables WHERE table_schema = ${schema === null ? 'DATABASE()' : literal(schema)} AND table_name = ${literal(name)}`,
  )
  const engine = rows[0]?.[0] ?? null
  if (engine === null || /^innodb$/i.test(engine)) return null
  return `${table} is of the engine ${engine}, whose writes cannot be seen while they are open, so only the lag protects`
}
