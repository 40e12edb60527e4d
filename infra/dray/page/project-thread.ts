import { parentPort, workerData } from 'node:worker_threads'
import { keepCompiled } from '#dray-infra/bundle/compile-cache.ts'
import { type KeptBundle, useBundle } from '#dray-infra/bundle/kept-bundle.ts'
import { ignoreExperimentalWarnings } from '#dray-infra/local/experimental-warnings.ts'
import { placeOf } from '#dray-infra/project/place-of-error.ts'
import type { Question } from './project-answers.ts'

/*
 * A thread has its own modules, so that one that is started after a file was saved has the file as it is. It is ready
 * when the framework is loaded, and loads the user's files at the first question.
 */

keepCompiled()
ignoreExperimentalWarnings()
const { bundle } = workerData as { readonly bundle: KeptBundle | null }
if (bundle !== null) useBundle(bundle)
const { answer } = await import('./project-answers.ts')

/** One after the other: each closes the databases at its end. */
let before: Promise<unknown> = Promise.resolve()

async function answered({ id, question }: { readonly id: number; readonly question: Question }): Promise<void> {
  try {
    parentPort?.postMessage({ id, answer: await answer(question) })
  } catch (error) {
    parentPort?.postMessage({ id, fault: faultOf(error) })
  }
}

/** `functions/orders/pipeline.ts:12: …` where a file of the user's has to do with it. */
function faultOf(error: unknown): string {
  const said = error instanceof Error ? error.message : String(error)
  const found = placeOf(error)
  return found === null || said.includes(found.place) ? said : `${found.place}: ${said}`
}

parentPort?.on('message', (asked) => {
  before = before.then(() => answered(asked))
})
