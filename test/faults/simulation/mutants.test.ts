import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import type { MutantResult } from './mutant-worker.ts'
import { type Mutant, mutants } from './mutants.ts'

const SCHEDULES = 300
/** For one mutant, in ms: one that never ends is caught, too. */
const PATIENCE = 40_000

async function hunt(mutant: Mutant, schedules = SCHEDULES, milliseconds = PATIENCE): Promise<MutantResult> {
  const worker = new Worker(new URL('./mutant-worker.ts', import.meta.url), {
    workerData: { mutant, schedules },
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  let patient = true
  const patience = setTimeout(() => {
    patient = false
    void worker.terminate()
  }, milliseconds)
  try {
    const said = once(worker, 'message').then(([result]) => result as MutantResult)
    const ended = once(worker, 'exit').then(
      (): MutantResult => (patient ? { misfit: 'the worker ended' } : { caughtBy: 0, message: 'it never ended' }),
    )
    return await Promise.race([said, ended])
  } finally {
    clearTimeout(patience)
    await worker.terminate()
  }
}

describe('the simulation catches', { concurrency: 2 }, () => {
  const caught: string[] = []

  test('nothing in the source as it is', async () => {
    const result = await hunt({ bug: 'none', file: 'shared/pipeline/plan.ts', edits: [] }, 200, 5 * PATIENCE)

    assert.deepEqual(result, { survived: 200 })
  })

  for (const mutant of mutants) {
    test(mutant.bug, async (context) => {
      const result = await hunt(mutant)

      if ('misfit' in result) assert.fail(`the source has changed, change the mutant: ${result.misfit}`)
      assert.ok('caughtBy' in result, `it survived ${SCHEDULES} schedules`)
      context.diagnostic(`schedule ${result.caughtBy}: ${result.message}`)
      caught.push(mutant.bug)
    })
  }

  after(() => assert.ok(new Set(caught).size >= 25, `only ${caught.length} different bugs are tried`))
})
