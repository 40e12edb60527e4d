import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CommitOutput, PlanOutput } from 'dray/internal/messages/stages.ts'
import { prepareStateFile } from 'dray-infra/internal/local/state-file.ts'
import { createWorkers, type Workers } from 'dray-infra/internal/local/workers.ts'

/** The handlers of the pipeline in the local runner's threads, over a file and a folder, as `dray run` calls them. */
export interface StagedRuns {
  /** Plan, Map { Extract → Transform → Load }, Commit: the whole of it, with every check. */
  run(options?: { readonly concurrency?: number }): Promise<CommitOutput>
  close(): Promise<void>
}

/** What the environment says by then is what the handlers see; `isElsewhere` leaves staging and state to it, too. */
export async function openStagedRuns({
  threads,
  isElsewhere = false,
}: {
  readonly threads?: number
  readonly isElsewhere?: boolean
} = {}): Promise<StagedRuns> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-bench-run-'))
  Object.assign(process.env, {
    ...(isElsewhere ? {} : { STATE_ENDPOINT: await prepareStateFile(folder), STAGING_URL: `file://${folder}` }),
    POWERTOOLS_LOG_LEVEL: 'ERROR',
    POWERTOOLS_METRICS_DISABLED: 'true',
  })
  const workers = createWorkers(threads === undefined ? {} : { size: threads })
  workers.warm(['plan', 'extract', 'transform', 'load', 'commit'].map(fileOf))
  return {
    run: ({ concurrency = 2 } = {}) => runOnce(workers, concurrency),
    async close() {
      await workers.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function fileOf(step: string): string {
  return join(import.meta.dirname, 'handlers', `${step}.ts`)
}

async function runOnce(workers: Workers, concurrency: number): Promise<CommitOutput> {
  const call = (step: string, payload: unknown) =>
    workers.invoke({ file: fileOf(step), functionName: `bench-${step}`, payload, timeoutSeconds: 900 })
  const run = {
    id: `bench-${randomBytes(6).toString('hex')}`,
    workflow: 'bench',
    started_at: new Date().toISOString(),
    trigger: 'manual',
  }
  const pipeline = 'bench-orders'
  const { plan, epoch, partitions } = (await call('plan', { run, pipeline })) as PlanOutput
  const waiting = [...partitions]
  const branch = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const extracted = await call('extract', { run, pipeline, plan, epoch, ...next })
      await call('load', await call('transform', extracted))
    }
  }
  await Promise.all(Array.from({ length: concurrency }, branch))
  return (await call('commit', { run, pipeline, plan, epoch })) as CommitOutput
}
