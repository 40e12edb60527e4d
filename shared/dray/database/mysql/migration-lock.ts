import { TransientError } from '#dray/errors.ts'
import type { LockableConnection } from '../reading.ts'

/** Of the whole server, so that it is named after the database; 64 characters at most. */
const NAME = `concat('dray_', left(sha2(database(), 256), 40))`
const SECONDS = 300

/**
 * A lock of the session, which ends with it: DDL commits, so that no transaction can be around it.
 * https://dev.mysql.com/doc/refman/8.0/en/locking-functions.html
 */
export async function withMigrationLock<T>(connection: LockableConnection, work: () => Promise<T>): Promise<T> {
  const { rows } = await connection.query(`select get_lock(${NAME}, ${SECONDS})`)
  if (rows[0]?.[0] !== '1') {
    throw new TransientError(
      `Another Plan has been changing Dray's own tables for longer than ${SECONDS} s, so this one has changed nothing; tried again, it waits for it once more.`,
    )
  }
  try {
    return await work()
  } finally {
    await connection.query(`select release_lock(${NAME})`)
  }
}
