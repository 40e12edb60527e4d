import type { Text } from '#dray/block/block.ts'

/**
 * Up to which time of its primary a standby has replayed. The newest replayed commit says it, or the checkpoint that
 * the standby started from. An idle primary commits nothing: where the standby streams and has replayed all that the
 * primary had when it last spoke, the time of that message counts, which pg_read_all_stats shows. Null where the
 * server does not replay, as a reader of Aurora does not.
 * https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-WAL-RECEIVER-VIEW
 */
const REPLAYED = `
  SELECT (extract(epoch FROM greatest(
           COALESCE(pg_last_xact_replay_timestamp(), (SELECT checkpoint_time FROM pg_control_checkpoint())),
           (SELECT max(last_msg_send_time) FROM pg_stat_wal_receiver
            WHERE status = 'streaming' AND latest_end_lsn <= pg_last_wal_replay_lsn()))) * 1000000)::bigint
  WHERE pg_last_wal_replay_lsn() IS NOT NULL`

export async function readReplayed(
  rows: (sql: string) => Promise<readonly (readonly Text[])[]>,
): Promise<bigint | null> {
  const [row] = await rows(REPLAYED)
  const micros = row?.[0] ?? null
  return micros === null ? null : BigInt(micros)
}
