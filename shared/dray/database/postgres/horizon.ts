import type { Text } from '#dray/block/block.ts'

/** What was open at a moment of the server's clock. Both in microseconds since 1970, as text. */
export interface Horizon {
  readonly now: bigint
  readonly oldest: bigint | null
  readonly reason: string | null
}

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

/**
 * Reads the horizon. It must be read before the snapshot is taken: what is not open then is visible in the snapshot.
 */
export async function readHorizon(rows: (sql: string) => Promise<readonly (readonly Text[])[]>): Promise<Horizon> {
  const [now, oldest, replica, hidden, prepared] = (await rows(OPEN))[0] as readonly Text[]
  return {
    now: BigInt(now as string),
    oldest: oldest === null || oldest === undefined ? null : BigInt(oldest),
    reason: reasonOf(replica === 't', hidden as string, prepared as string),
  }
}

function reasonOf(replica: boolean, hidden: string, prepared: string): string | null {
  if (replica)
    return 'this is a replica: transactions that are open on the primary cannot be seen, so only the lag protects'
  if (hidden !== '0') {
    return `${hidden} sessions of other roles cannot be seen, so only the lag protects; grant pg_read_all_stats to the user`
  }
  if (prepared !== '0') {
    return `${prepared} prepared transactions do not show when they began, so the time of their PREPARE was taken`
  }
  return null
}

/** `now - lag`, and never past what was open. */
export function settled(
  horizon: Horizon,
  lagSeconds: number,
): { until: string; exact: boolean; reason: string | null } {
  const lagged = horizon.now - BigInt(Math.round(lagSeconds * 1_000_000))
  const until = horizon.oldest !== null && horizon.oldest < lagged ? horizon.oldest : lagged
  return { until: utcText(until), exact: horizon.reason === null, reason: horizon.reason }
}

/** `YYYY-MM-DD HH:MM:SS.ffffff` of microseconds since 1970. */
export function utcText(microseconds: bigint): string {
  const fraction = ((microseconds % 1_000_000n) + 1_000_000n) % 1_000_000n
  const whole = new Date(Number((microseconds - fraction) / 1000n)).toISOString()
  return `${whole.slice(0, 10)} ${whole.slice(11, 19)}.${String(fraction).padStart(6, '0')}`
}
