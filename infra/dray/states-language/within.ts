import { Cancellation, Cancelled } from './cancellation.ts'
import type { Clock } from './clock.ts'
import { StatesError } from './states-error.ts'

/**
 * The result of work that is cancelled when its time is up, or its parent is; null for as long as it takes. Throws
 * `States.Timeout`.
 */
export async function within<T>(
  seconds: number | null,
  parent: Cancellation,
  clock: Clock,
  work: (cancellation: Cancellation) => Promise<T>,
): Promise<T> {
  if (seconds === null) return await work(parent)
  const cancellation = new Cancellation(parent)
  const timer = new AbortController()
  let isLate = false
  clock.sleep(seconds * 1000, timer.signal).then(
    () => {
      isLate = true
      cancellation.cancel()
    },
    () => {},
  )
  try {
    return await work(cancellation)
  } catch (thrown) {
    if (isLate && thrown instanceof Cancelled) {
      throw new StatesError('States.Timeout', `Longer than ${seconds} s.`)
    }
    throw thrown
  } finally {
    timer.abort()
    cancellation.dispose()
  }
}
