import { loadKeys, type SourceKey } from '#dray/messages/run-mode.ts'
import type { RunReference } from '#dray/messages/stages.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import type { Services } from '../services.ts'
import { commit } from './commit.ts'
import { extract } from './extract.ts'
import { finish } from './finish.ts'
import { load } from './load.ts'
import { plan } from './plan.ts'
import { transform } from './transform.ts'

/** Keys of one run: they are in its record. */
const KEYS_OF_A_RUN = 1_000

/** What a reload of some rows came to. */
export interface Reloaded {
  readonly runs: readonly string[]
  readonly read: number
  readonly written: number
  readonly quarantined: number
}

/**
 * Loads the rows of these keys by the transform of now, in separate runs in this process, and leaves `last_run` alone.
 * Throws `LeaseHeld` while a run holds the pipeline.
 */
export async function reloadKeys(
  pipeline: Pipeline,
  keys: readonly SourceKey[],
  services: Services,
  newRunId: () => string,
): Promise<Reloaded> {
  const runs: string[] = []
  const sums = { read: 0, written: 0, quarantined: 0 }
  for (let start = 0; start < keys.length; start += KEYS_OF_A_RUN) {
    const id = newRunId()
    runs.push(id)
    const output = await reloadSome(pipeline, keys.slice(start, start + KEYS_OF_A_RUN), id, services)
    sums.read += output.read
    sums.written += output.inserted + output.updated
    sums.quarantined += output.quarantined
  }
  return { runs, ...sums }
}

async function reloadSome(pipeline: Pipeline, keys: readonly SourceKey[], id: string, services: Services) {
  const startedAt = new Date(services.now()).toISOString()
  const run: RunReference = { id, workflow: pipeline.name, started_at: startedAt, trigger: 'reconcile' }
  const end = (status: 'success' | 'failed' | 'refused', reason: string | null) =>
    finish({ run, steps: { [pipeline.name]: { status, reason } } }, services)
  try {
    const planned = await plan(pipeline, { run, pipeline: pipeline.name, mode: loadKeys(keys) }, services)
    const work = { run, pipeline: pipeline.name, plan: planned.plan, epoch: planned.epoch }
    for (const { partition } of planned.partitions) {
      const extracted = await extract(pipeline, { ...work, partition }, services)
      await load(pipeline, await transform(pipeline, extracted, services), services)
    }
    const output = await commit(pipeline, work, services)
    await end('success', null)
    return output
  } catch (error) {
    const { name, message } = error as Error
    await end(name === 'LeaseHeld' ? 'refused' : 'failed', `${name}: ${message}`)
    throw error
  }
}
