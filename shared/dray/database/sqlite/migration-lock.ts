import type { LockableConnection } from '../reading.ts'

/** One transaction that writes from its start: there is one such at a time. */
export async function withMigrationLock<T>(connection: LockableConnection, work: () => Promise<T>): Promise<T> {
  await connection.begin('write')
  try {
    const result = await work()
    await connection.commit()
    return result
  } catch (error) {
    await connection.rollback()
    throw error
  }
}
