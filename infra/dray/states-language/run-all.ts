import { Cancellation } from './cancellation.ts'

/**
 * Runs `count` pieces of work, started in order and at most `limit` at once; results in the same order. The first
 * failure cancels those that run, keeps the others from starting, and is thrown when all have stopped.
 */
export async function runAll<T>(
  count: number,
  limit: number,
  parent: Cancellation,
  work: (index: number, cancellation: Cancellation) => Promise<T>,
): Promise<T[]> {
  const cancellation = new Cancellation(parent)
  const results = new Array<T>(count)
  let failure: { readonly thrown: unknown } | undefined
  let next = 0
  const lane = async () => {
    while (next < count && !cancellation.cancelled) {
      const index = next++
      try {
        results[index] = await work(index, cancellation)
      } catch (thrown) {
        failure ??= { thrown }
        cancellation.cancel()
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, count) }, lane))
  cancellation.dispose()
  parent.throwIfCancelled()
  if (failure !== undefined) throw failure.thrown
  return results
}
