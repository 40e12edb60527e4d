import type { Text } from '#dray/block/block.ts'
import type { Settled, SettledOptions } from '../adapter.ts'
import { readReplayed } from './replayed.ts'
import { readElsewhere } from './tables-under.ts'

/** What was open at a moment of the server's clock. Times in microseconds since 1970. */
export interface Horizon {
  readonly now: bigint
  readonly oldest: bigint | null
  /** On a replica: up to where it has replayed its primary; null elsewhere, or where the server does not say. */
  readonly replayed: bigint | null
  readonly reason: string | null
}

type Rows = (sql: string, parameters?: readonly string[]) => Promise<readonly (readonly Text[])[]>

/**
 * Who may still commit rows stamped earlier. Maintenance and helpers of other sessions write no rows. Sessions of other
 * roles show no start without pg_read_all_stats. A prepared transaction shows when it was prepared, not when it began.
 */
const OPEN = `
  SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint,
         (extract(epoch FROM least(a.oldest, p.oldest)) * 1000000)::bigint,
         pg_is_in_recovery(), a.hidden, p.prepared
  FROM (SELECT min(xact_start) AS oldest, count(*) FILTER (WHERE query = '<insufficient privilege>') AS hidden
        FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state IS DISTINCT FROM 'idle'
          AND COALESCE(backend_type, 'client backend') NOT IN ('autovacuum worker', 'parallel worker', 'walsender')) a,
       (SELECT min(prepared) AS oldest, count(*) AS prepared FROM pg_prepared_xacts
        WHERE database = current_database()) p`

/** An application stamps a row a little before the server sees its transaction begin. */
const STAMPED_BEFORE = 2_000_000n

/**
 * Reads the horizon. It must be read before the snapshot is taken: what is not open then is visible in the snapshot.
 */
export async function readHorizon(rows: Rows): Promise<Horizon> {
  const [now, oldest, isReplica, hidden, prepared] = (await rows(OPEN))[0] as readonly Text[]
  const replayed = isReplica === 't' ? await readReplayed(rows) : null
  return {
    now: BigInt(now as string),
    oldest: oldest === null || oldest === undefined ? null : BigInt(oldest),
    replayed,
    reason: isReplica === 't' ? reasonOfReplica(replayed) : reasonOf(hidden as string, prepared as string),
  }
}

function reasonOfReplica(replayed: bigint | null): string {
  const progress =
    replayed === null ? 'how far it has replayed is not said' : `it has replayed up to ${utcText(replayed)} UTC`
  return `this is a replica: transactions that are open on the primary cannot be seen, and ${progress}, so only the lag protects`
}

function reasonOf(hidden: string, prepared: string): string | null {
  if (hidden !== '0') {
    return `${hidden} sessions of other roles cannot be seen, so only the lag protects; grant pg_read_all_stats to the user`
  }
  if (prepared !== '0') {
    return `${prepared} prepared transactions do not show when they began, so the time of their PREPARE was taken`
  }
  return null
}

/** What the horizon settles for a table. */
export async function settledFor(
  rows: Rows,
  horizon: Horizon,
  lagSeconds: number,
  { table, unseenLagSeconds }: SettledOptions = {},
): Promise<Settled> {
  const elsewhere = table === undefined ? null : await readElsewhere(rows, table)
  return settled({ ...horizon, reason: elsewhere ?? horizon.reason }, lagSeconds, unseenLagSeconds)
}

/** `now - lag`, and never past what was open, nor past what has been replayed less the lag. */
export function settled(horizon: Horizon, lagSeconds: number, unseenLagSeconds = lagSeconds): Settled {
  const { now, reason } = horizon
  const kept = reason === null ? lagSeconds : unseenLagSeconds
  const lag = BigInt(Math.round(kept * 1_000_000))
  const lagged = now - lag
  const oldest = horizon.oldest === null ? null : horizon.oldest - STAMPED_BEFORE
  const replayed = horizon.replayed === null ? null : horizon.replayed - lag
  const until = least(least(lagged, oldest), replayed)
  return {
    until: utcText(until),
    now: utcText(now),
    exact: reason === null,
    reason,
    lagSeconds: kept,
    heldBy: until === lagged ? null : heldBy(horizon, until === replayed),
  }
}

function least(bound: bigint, other: bigint | null): bigint {
  return other !== null && other < bound ? other : bound
}

function heldBy({ oldest, replayed }: Horizon, isReplay: boolean): string {
  return isReplay
    ? `until the replica has replayed more than up to ${utcText(replayed as bigint)} UTC`
    : `until a transaction that has been open since ${utcText(oldest as bigint)} UTC has ended`
}

/** `YYYY-MM-DD HH:MM:SS.ffffff` of microseconds since 1970. */
export function utcText(microseconds: bigint): string {
  const fraction = ((microseconds % 1_000_000n) + 1_000_000n) % 1_000_000n
  const whole = new Date(Number((microseconds - fraction) / 1000n)).toISOString()
  return `${whole.slice(0, 10)} ${whole.slice(11, 19)}.${String(fraction).padStart(6, '0')}`
}
