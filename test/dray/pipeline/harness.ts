import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import type { CommitOutput, LoadInput, PlanOutput, RunReference } from 'dray/internal/messages/stages.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { QuarantinedRow } from 'dray/internal/pipeline/rows/quarantined-row.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { commit } from 'dray/internal/pipeline/stages/commit.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import { FolderStagingStore } from 'dray/internal/staging/folder-staging-store.ts'
import { quarantinePrefix } from 'dray/internal/staging/keys.ts'
import { openStateIn } from '#test/services/open-state.ts'

// biome-ignore lint/suspicious/noExplicitAny: a pipeline of any models.
type AnyPipeline = Pipeline<any, any>

/** What the steps need, real: the state that a local run has, and a folder. */
export interface Harness {
  readonly services: Services
  readonly folder: string
  close(): Promise<void>
}

export async function openHarness(): Promise<Harness> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-pipeline-'))
  const state = await openStateIn(folder)
  const services: Services = {
    state,
    staging: new FolderStagingStore(join(folder, 'staging')),
    signal: new AbortController().signal,
    now: Date.now,
    log: { info: () => {}, warn: () => {} },
    progress: () => {},
    runner: 'test',
  }
  return {
    services,
    folder,
    async close() {
      state.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export function runReference(id: string): RunReference {
  return { id, workflow: 'test', started_at: '2024-06-01T02:00:00.000Z', trigger: 'manual' }
}

/** Plan, and what the Map and Commit would be given. */
export async function planRun(
  pipeline: AnyPipeline,
  id: string,
  services: Services,
  mode: RunMode | null = null,
): Promise<PlanOutput> {
  return plan(pipeline, { run: runReference(id), pipeline: pipeline.name, mode }, services)
}

/** Extracts and transforms one partition. */
export async function prepare(
  pipeline: AnyPipeline,
  id: string,
  planned: PlanOutput,
  partition: number,
  services: Services,
): Promise<LoadInput> {
  const { plan: staged, epoch, planned_by } = planned
  const input = { run: runReference(id), pipeline: pipeline.name, plan: staged, epoch, planned_by, partition }
  return transform(pipeline, await extract(pipeline, input, services), services)
}

export async function commitRun(
  pipeline: AnyPipeline,
  id: string,
  planned: PlanOutput,
  services: Services,
): Promise<CommitOutput> {
  const { plan: staged, epoch, planned_by } = planned
  const input = { run: runReference(id), pipeline: pipeline.name, plan: staged, epoch, planned_by }
  return commit(pipeline, input, services)
}

/** A whole run of a pipeline, partition after partition. */
export async function runPipeline(
  pipeline: AnyPipeline,
  id: string,
  services: Services,
  mode: RunMode | null = null,
): Promise<CommitOutput> {
  const planned = await planRun(pipeline, id, services, mode)
  for (const { partition } of planned.partitions) {
    await load(pipeline, await prepare(pipeline, id, planned, partition, services), services)
  }
  return commitRun(pipeline, id, planned, services)
}

/** The quarantined rows of a run, as they lie in staging. */
export async function quarantined(harness: Harness, id: string, pipeline: string): Promise<QuarantinedRow[]> {
  const keys = await harness.services.staging.list(quarantinePrefix(id, pipeline))
  const texts = await Promise.all(keys.map((key) => readFile(join(harness.folder, 'staging', key), 'utf8')))
  return texts.flatMap((text) =>
    text
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => JSON.parse(line) as QuarantinedRow),
  )
}
