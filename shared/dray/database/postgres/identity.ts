import { TerminalError } from '#dray/errors.ts'
import type { Identity, IdentityCapabilities } from '../capabilities.ts'
import type { ReadRows } from '../reading.ts'
import { newParts, tableIdentity } from './table-identity.ts'

const DATABASE = 'select oid::text, datname from pg_database where datname = current_database()'
/** Of the cluster, from initdb on: physical copies and standbys have it, a dump that was restored has not. */
const SYSTEM = 'select system_identifier::text from pg_control_system()'
/**
 * The timeline and the log's position, in digits enough to be compared as text; NULL on a standby, which is behind by
 * nature.
 */
const POSITION = `select case when pg_is_in_recovery() then null else
  substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8) || '/' ||
  lpad(pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::text, 20, '0') end`

const UNKNOWN = 'unknown'
const REMEDY = 'as a superuser: grant execute on function pg_control_system() to the role that reads'

export const identity: IdentityCapabilities = {
  ofTable: tableIdentity,
  sameDefinition: (known, now) => known === now,
  newParts,
  tablesKnownBy: null,
  async read(rows) {
    const database = (await rows(DATABASE, []))[0]?.join(' ') ?? ''
    const server = await answer(rows, SYSTEM)
    const position = server === null ? null : await answer(rows, POSITION)
    return { identity: { server: server ?? UNKNOWN, database, position }, weakness: server === null ? REMEDY : null }
  },
  async compare(_rows, known, now) {
    if (known.server === UNKNOWN || now.server === UNKNOWN) return known.database === now.database ? 'same' : 'other'
    if (known.server !== now.server || oidOf(known) !== oidOf(now)) return 'other'
    if (known.position === null || now.position === null) return 'same'
    if (now.position < known.position) return 'behind'
    return timeline(now.position) === timeline(known.position) ? 'same' : 'successor'
  },
}

/** A database keeps it when it is renamed. */
function oidOf({ database }: Identity): string {
  return database.slice(0, database.indexOf(' '))
}

function timeline(position: string): string {
  return position.slice(0, position.indexOf('/'))
}

/** Null where the role may not ask, or the server has no such function. */
async function answer(rows: ReadRows, sql: string): Promise<string | null> {
  try {
    return (await rows(sql, []))[0]?.[0] ?? null
  } catch (error) {
    if (error instanceof TerminalError) return null
    throw error
  }
}
