import type { Text } from '#dray/block/block.ts'
import { TransientError } from '#dray/errors.ts'
import type { Reply } from './reply.ts'
import type { SessionFacts } from './settings.ts'
import { errorNumber } from './translate.ts'

/** Whether rows come from another server, on which they may be committed long before they are here. */
export interface Replication {
  readonly reason: string | null
  /** Up to where the other server has been replayed, in UTC; null where the server does not say. */
  readonly replayed: Text
  /** The transactions that are open here are worth a look nevertheless. */
  readonly looksHere: boolean
}

type Run = (sql: string) => Promise<Reply>

const SYNTAX = 1064
const NO_PRIVILEGE = 1227
const NONE: Replication = { reason: null, replayed: null, looksHere: true }
const UNSEEN = 'transactions that are open on the primary cannot be seen'

/**
 * Asks the server whether it replays another one, whatever `read_only` says. Throws `Transient` where it should and
 * does not: how far it has come is not known then. https://mariadb.com/kb/en/show-replica-status/
 * https://dev.mysql.com/doc/refman/8.4/en/show-replica-status.html
 */
export async function readReplication(
  run: Run,
  { isMariaDB, isReadOnly, isOfCluster }: Pick<SessionFacts, 'isMariaDB' | 'isReadOnly' | 'isOfCluster'>,
): Promise<Replication> {
  const channels = await readChannels(run, isMariaDB)
  if (channels === null) {
    const grant = isMariaDB ? 'REPLICA MONITOR' : 'REPLICATION CLIENT'
    if (isReadOnly) return { reason: `the server is read-only: ${UNSEEN}`, replayed: null, looksHere: false }
    return {
      reason: `the user may not see whether the server is a replica; grant ${grant}`,
      replayed: null,
      looksHere: true,
    }
  }
  if (channels.length > 0) {
    const behind = await replayedUpTo(run, channels)
    return {
      reason: `the server is a replica: ${UNSEEN}, and it has replayed up to ${behind} UTC`,
      replayed: behind,
      looksHere: true,
    }
  }
  if (isReadOnly) return { reason: `the server is read-only: ${UNSEEN}`, replayed: null, looksHere: false }
  if (isOfCluster) {
    return {
      reason: 'the server is a node of a cluster: transactions that are open on other nodes cannot be seen',
      replayed: null,
      looksHere: true,
    }
  }
  return NONE
}

/** Seconds behind the source, of each channel; null where the user may not see them. */
async function readChannels(run: Run, isMariaDB: boolean): Promise<readonly Text[] | null> {
  const statements = isMariaDB ? ['SHOW ALL SLAVES STATUS'] : ['SHOW REPLICA STATUS', 'SHOW SLAVE STATUS']
  for (const statement of statements) {
    try {
      const { columns, rows } = await run(statement)
      const place = columns.findIndex((name) => /^Seconds_Behind_(Master|Source)$/i.test(name))
      return rows.map((row) => row[place] ?? null)
    } catch (error) {
      if (errorNumber(error) === NO_PRIVILEGE) return null
      if (errorNumber(error) !== SYNTAX) throw error
    }
  }
  return []
}

/** The server gives the delay in whole seconds. */
async function replayedUpTo(run: Run, channels: readonly Text[]): Promise<string> {
  if (channels.includes(null)) {
    throw new TransientError(
      'The server is a replica whose replication does not run, so how far it has come is not known and nothing was read. Start it (START REPLICA); where the server was made the primary, RESET REPLICA ALL.',
    )
  }
  const behind = Math.max(...channels.map(Number)) + 1
  const { rows } = await run(`SELECT UTC_TIMESTAMP(6) - INTERVAL ${behind} SECOND`)
  return rows[0]?.[0] as string
}
