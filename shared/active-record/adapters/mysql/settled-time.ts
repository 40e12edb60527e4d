import type { Text } from '../../adapter.ts'
import { errorNumber } from './errors.ts'
import { literal } from './parameters.ts'
import type { Reply } from './wire.ts'

/** The server's clock and its oldest open transaction, both in UTC, taken before a snapshot is. */
export interface OpenTransactions {
  readonly now: string
  readonly oldest: Text
  /** Why other transactions could not be seen; null when they could. */
  readonly reason: string | null
}

const NO_PROCESS_PRIVILEGE = 1227

// innodb_trx tells local time of the server's system, whatever the session's zone. In the hour that comes twice in autumn the
// earlier of its two readings is taken.
const STARTED = `CONVERT_TZ(MIN(trx_started), 'SYSTEM', '+00:00')`
const OLDEST = `SELECT IF(CONVERT_TZ(utc - INTERVAL 1 HOUR, '+00:00', 'SYSTEM') = local, utc - INTERVAL 1 HOUR, utc)
  FROM (SELECT ${STARTED} AS utc, MIN(trx_started) AS local FROM information_schema.innodb_trx
    WHERE trx_mysql_thread_id <> CONNECTION_ID() AND trx_is_read_only = 0) AS open_transactions`

/**
 * Looks at the open transactions. It has to be done before the snapshot: one that commits between the two is in the snapshot
 * then, while one that commits between the snapshot and the look would be in neither.
 */
export async function readOpenTransactions(
  run: (sql: string) => Promise<Reply>,
  isReadOnly: boolean,
): Promise<OpenTransactions> {
  if (isReadOnly) {
    const reason = 'The server is read-only, so the open transactions are on another one, where they cannot be seen.'
    return { ...(await readClock(run)), reason }
  }
  try {
    const { rows } = await run(`SELECT UTC_TIMESTAMP(6), (${OLDEST})`)
    const [now, oldest] = rows[0] as readonly [string, Text]
    return { now, oldest, reason: null }
  } catch (error) {
    if (errorNumber(error) !== NO_PROCESS_PRIVILEGE) throw error
    const reason = 'The user lacks the privilege PROCESS, without which other open transactions cannot be seen.'
    return { ...(await readClock(run)), reason }
  }
}

async function readClock(run: (sql: string) => Promise<Reply>): Promise<{ now: string; oldest: Text }> {
  const { rows } = await run('SELECT UTC_TIMESTAMP(6)')
  return { now: rows[0]?.[0] as string, oldest: null }
}

/** `least(now − lag, oldest − 2 s)`: a transaction may have taken its time stamps a little before InnoDB saw it. */
export async function settle(
  run: (sql: string) => Promise<Reply>,
  open: OpenTransactions,
  lagSeconds: number,
): Promise<string> {
  const lag = `CAST(${literal(open.now)} AS DATETIME(6)) - INTERVAL ${lagSeconds.toFixed(6)} SECOND`
  const until =
    open.oldest === null ? lag : `LEAST(${lag}, CAST(${literal(open.oldest)} AS DATETIME(6)) - INTERVAL 2 SECOND)`
  const { rows } = await run(`SELECT CAST(${until} AS DATETIME(6))`)
  return rows[0]?.[0] as string
}
