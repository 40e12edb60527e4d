import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { after, describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { long } from '#test/long.ts'
import type { Mutant } from './mutant.ts'
import type { MutantResult } from './mutant-worker.ts'
import { mutants } from './mutants.ts'

const SCHEDULES = 300
const UNCHANGED = long ? 200 : 40
const root = new URL('../../../../', import.meta.url)
/** For one schedule, in ms: one that never ends is caught, too. */
const PATIENCE = 40_000

/** The short form tries every twelfth bug, and looks whether the others still fit the source. */
const tried = (place: number) => long || place % 12 === 1

async function hunt(mutant: Mutant, schedules = mutant.schedules ?? SCHEDULES): Promise<MutantResult> {
  const worker = new Worker(new URL('./mutant-worker.ts', import.meta.url), {
    workerData: { mutant, schedules },
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  let patient = true
  let at = 0
  const patience = setTimeout(() => {
    patient = false
    void worker.terminate()
  }, PATIENCE)
  try {
    const said = new Promise<MutantResult>((resolve) => {
      worker.on('message', (message: MutantResult | { readonly begins: number }) => {
        if (!('begins' in message)) return resolve(message)
        at = message.begins
        patience.refresh()
      })
    })
    const ended = once(worker, 'exit').then(
      (): MutantResult => (patient ? { misfit: 'the worker ended' } : { caughtBy: at, message: 'it never ended' }),
    )
    return await Promise.race([said, ended])
  } finally {
    clearTimeout(patience)
    await worker.terminate()
  }
}

test('each bug still fits the source that it is put into', async () => {
  const misfits: string[] = []
  for (const { bug, file, edits, also } of mutants) {
    for (const changed of [{ file, edits }, ...(also ? [also] : [])]) {
      const source = await readFile(new URL(changed.file, root), 'utf8')
      for (const [find] of changed.edits) {
        const isThere = source.search(typeof find === 'string' ? literal(find) : find) >= 0
        if (!isThere) misfits.push(`${bug}: ${changed.file} has no ${find}`)
      }
    }
  }
  assert.deepEqual(misfits, [])
})

const literal = (text: string) => new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))

describe('the simulation catches', { concurrency: 2 }, () => {
  const caught: string[] = []

  test('nothing in the source as it is', async () => {
    const result = await hunt({ bug: 'none', file: 'shared/dray/pipeline/stages/plan.ts', edits: [] }, UNCHANGED)

    assert.deepEqual(result, { survived: UNCHANGED })
  })

  for (const mutant of mutants.filter((_, place) => tried(place))) {
    test(mutant.bug, async (context) => {
      const result = await hunt(mutant)

      if ('misfit' in result) assert.fail(`the source has changed, change the mutant: ${result.misfit}`)
      assert.ok('caughtBy' in result, `it survived ${mutant.schedules ?? SCHEDULES} schedules`)
      context.diagnostic(`schedule ${result.caughtBy}: ${result.message}`)
      caught.push(mutant.bug)
    })
  }

  after(() => assert.ok(new Set(caught).size >= (long ? 115 : 10), `only ${caught.length} different bugs are tried`))
})
