import type { LockableConnection } from '../reading.ts'
import { inWriteTransaction } from '../write-transaction.ts'

/**
 * `dray` in ASCII, and which of its locks:
 * https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS
 */
const LOCK = 'select pg_advisory_xact_lock(1684955513, 1)'

/**
 * One transaction, with a lock that ends with it: through a pooler of transactions as well, and however the session
 * ends.
 */
export function withMigrationLock<T>(connection: LockableConnection, work: () => Promise<T>): Promise<T> {
  return inWriteTransaction(connection, async () => {
    await connection.query(LOCK)
    return work()
  })
}
