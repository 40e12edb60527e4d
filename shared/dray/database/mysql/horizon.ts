import { randomBytes } from 'node:crypto'
import type { Text } from '#dray/block/block.ts'
import { literal } from './bind-literals.ts'
import type { Reply } from './reply.ts'
import { errorNumber } from './translate.ts'

/** The server's clock and its oldest open transaction, both in UTC, taken before a snapshot is. */
export interface Horizon {
  readonly now: string
  readonly oldest: Text
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
  { isReadOnly, inTransaction }: { readonly isReadOnly: boolean; readonly inTransaction: boolean },
): Promise<Horizon> {
  if (inTransaction) return look(run, isReadOnly, TRIES.within)
  await beginSnapshot(run)
  try {
    return await look(run, isReadOnly, TRIES.alone)
  } finally {
    await run('COMMIT')
  }
}

/**
 * Looks at the open transactions. The connection has its own transaction open, whose statements all carry a mark: a
 * list that shows the mark was taken after the time that is returned, whoever made the server take it.
 */
async function look(run: Run, isReadOnly: boolean, tries: number): Promise<Horizon> {
  if (isReadOnly) {
    return lagAlone(run, 'the server is read-only: transactions that are open on the primary cannot be seen')
  }
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
      if (isFresh === '1') return { now, oldest, reason: null }
      if (attempt === tries) return { now, oldest, reason: STALE }
      const drawn = Math.random() * Math.min(CACHED_SECONDS * 1.5 ** attempt, MOST_DRAWN_SECONDS)
      await run(`SELECT SLEEP(${(CACHED_SECONDS + drawn).toFixed(3)}), '${mark}'`)
    }
  } catch (error) {
    if (errorNumber(error) !== NO_PROCESS_PRIVILEGE) throw error
    return lagAlone(run, 'transactions of others cannot be seen without the privilege PROCESS')
  }
}

async function lagAlone(run: Run, reason: string): Promise<Horizon> {
  const { rows } = await run('SELECT UTC_TIMESTAMP(6)')
  return { now: rows[0]?.[0] as string, oldest: null, reason: `${reason}, so only the lag protects` }
}

/** `least(now − lag, oldest − 2 s)`: a transaction may have taken its time stamps a little before InnoDB saw it. */
export async function settled(
  run: Run,
  { now, oldest, reason }: Horizon,
  lagSeconds: number,
): Promise<{ until: string; exact: boolean; reason: string | null }> {
  const lag = `CAST(${literal(now)} AS DATETIME(6)) - INTERVAL ${lagSeconds.toFixed(6)} SECOND`
  const until = oldest === null ? lag : `LEAST(${lag}, CAST(${literal(oldest)} AS DATETIME(6)) - INTERVAL 2 SECOND)`
  const { rows } = await run(`SELECT CAST(${until} AS DATETIME(6))`)
  return { until: rows[0]?.[0] as string, exact: reason === null, reason }
}
