import type { LockableConnection } from '../reading.ts'
import { inWriteTransaction } from '../write-transaction.ts'

/** One transaction that writes from its start: there is one such at a time. */
export function withMigrationLock<T>(connection: LockableConnection, work: () => Promise<T>): Promise<T> {
  return inWriteTransaction(connection, work)
}
