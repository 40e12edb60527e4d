import type { AnySource, AnyTarget } from 'dray/internal/pipeline/declare/any-model.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { TestedRun, TestRunOptions } from './tested-run.ts'

/**
 * Runs a pipeline through all of its stages on temporary databases, which are gone with the process; whatever the
 * environment binds is left alone. Throws what a run fails of; then the target, `last_run` and the quarantine are as a
 * failed run leaves them. Throws `Configuration` for a row that its table could not hold.
 *
 * @example
 * const run = await testRun(orders, { source: [order], now: '2026-02-01 12:00:00' })
 * const next = await run.again({ source: [{ ...order, status: 'sent' }], now: '2026-02-02 12:00:00' })
 */
export async function testRun<S extends AnySource, T extends AnyTarget>(
  pipeline: Pipeline<S, T>,
  options: TestRunOptions<S, T>,
): Promise<TestedRun<S, T>> {
  // A test of rows alone needs none of what runs are made of.
  const { Bench } = await import('./bench.ts')
  const bench = await Bench.set(pipeline as unknown as Pipeline, options)
  return (await bench.run()) as unknown as TestedRun<S, T>
}
