import type { LockableConnection } from './reading.ts'

/** One transaction, which writes from its start where the engine knows that: committed, or rolled back by an error. */
export async function inWriteTransaction<T>(connection: LockableConnection, work: () => Promise<T>): Promise<T> {
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
