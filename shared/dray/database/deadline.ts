import { AsyncLocalStorage } from 'node:async_hooks'
import { TransientError } from '#dray/errors.ts'
import type { Adapter, Connection } from './adapter.ts'
import { describedIn } from './described.ts'

const deadlines = new AsyncLocalStorage<AbortSignal>()

/**
 * Runs `work` under a deadline. When it fires, every statement of `work` on any database stops, COMMIT and the wait for
 * a connection or a lock among them, and throws `Transient`; whether a COMMIT that was stopped has happened is not
 * known then.
 */
export function withDeadline<T>(deadline: AbortSignal, work: () => Promise<T>): Promise<T> {
  return deadlines.run(deadline, work)
}

/** What stops a statement that is given `signal`, on a connection with a deadline: whichever fires first. */
export function firstOf(signal: AbortSignal | undefined, deadline: AbortSignal | undefined): AbortSignal | undefined {
  if (signal === undefined || signal === deadline) return deadline
  return deadline === undefined ? signal : AbortSignal.any([signal, deadline])
}

/**
 * A connection that stops at the deadline of the work that asks for it, and knows of tables what that knows. `name` is
 * the database's.
 */
export async function acquireInTime(adapter: Adapter, name: string): Promise<Connection> {
  const deadline = deadlines.getStore()
  const connection = await (deadline === undefined ? adapter.acquire() : acquireUntil(deadline, adapter, name))
  if (deadline !== undefined) connection.stopAt?.(deadline)
  connection.describeBy?.(describedIn(name))
  return connection
}

/** Gives back what `acquireInTime` gave. */
export async function release(adapter: Adapter, connection: Connection, broken: boolean): Promise<void> {
  connection.stopAt?.(undefined)
  connection.describeBy?.(undefined)
  await adapter.release(connection, broken)
}

/** A connection that comes too late is given back. */
async function acquireUntil(deadline: AbortSignal, adapter: Adapter, name: string): Promise<Connection> {
  const late = () =>
    new TransientError(`The deadline came before a connection to ${name}, so nothing was sent; try again`, {
      cause: deadline.reason,
    })
  if (deadline.aborted) throw late()
  const acquiring = adapter.acquire()
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      void acquiring.then((connection) => adapter.release(connection)).catch(() => {})
      reject(late())
    }
    deadline.addEventListener('abort', onAbort, { once: true })
    acquiring.then(resolve, reject).finally(() => deadline.removeEventListener('abort', onAbort))
  })
}
