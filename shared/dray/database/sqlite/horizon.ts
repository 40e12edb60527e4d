import { DatabaseSync } from 'node:sqlite'
import type { Settled, SettledOptions } from '../adapter.ts'
import type { SqliteSession } from './session.ts'
import { isBusy } from './translate.ts'
import type { Place } from './url.ts'

/** The clock, in milliseconds since 1970, and why a writer may still commit rows stamped earlier. */
export interface Horizon {
  readonly now: number
  readonly reason: string | null
}

/** Read before the snapshot is taken: who does not write then is visible in the snapshot, or begins later. */
export function readHorizon(session: SqliteSession): Horizon {
  const now = Number(session.rows("SELECT round(unixepoch('now', 'subsec') * 1000)")[0]?.[0])
  const own = session.database.isTransaction || session.place.path === ':memory:'
  return { now, reason: own ? null : writerReason(session.place) }
}

/** SQLite has one writer at a time, and only its lock shows that there is one. */
function writerReason({ path, readOnly }: Place): string | null {
  if (readOnly) return 'the file is opened for reading, so an open write cannot be seen and only the lag protects'
  const probe = new DatabaseSync(path, { timeout: 0 })
  try {
    probe.exec('BEGIN IMMEDIATE; ROLLBACK')
    return null
  } catch (error) {
    return isBusy(error)
      ? 'another connection is writing, and SQLite does not say since when, so only the lag protects'
      : 'the file cannot be locked, so an open write cannot be seen and only the lag protects'
  } finally {
    probe.close()
  }
}

export function settled(
  { now, reason }: Horizon,
  lagSeconds: number,
  { unseenLagSeconds = lagSeconds }: SettledOptions = {},
): Settled {
  const kept = reason === null ? lagSeconds : unseenLagSeconds
  return {
    until: utcText(now - Math.round(kept * 1000)),
    now: utcText(now),
    exact: reason === null,
    reason,
    lagSeconds: kept,
    heldBy: null,
  }
}

function utcText(milliseconds: number): string {
  const iso = new Date(milliseconds).toISOString()
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}000`
}
