import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import type { CommitOutput, LoadInput, PlanOutput, RunReference } from 'dray/internal/messages/stages.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { QuarantinedRow } from 'dray/internal/pipeline/rows/quarantined-row.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { quarantinePrefix } from 'dray/internal/staging/keys.ts'
import { StagedRun } from 'dray-infra/internal/testing/staged-run.ts'
import { openServices } from 'dray-infra/internal/testing/test-services.ts'

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
  const services = await openServices(folder)
  return {
    services,
    folder,
    async close() {
      services.close()
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
  return new StagedRun(pipeline, runReference(id), services).plan(mode)
}

/** Extracts and transforms one partition. */
export async function prepare(
  pipeline: AnyPipeline,
  id: string,
  planned: PlanOutput,
  partition: number,
  services: Services,
): Promise<LoadInput> {
  return new StagedRun(pipeline, runReference(id), services).prepare(planned, partition)
}

export async function commitRun(
  pipeline: AnyPipeline,
  id: string,
  planned: PlanOutput,
  services: Services,
): Promise<CommitOutput> {
  return new StagedRun(pipeline, runReference(id), services).commit(planned)
}

/** A whole run of a pipeline, partition after partition. */
export async function runPipeline(
  pipeline: AnyPipeline,
  id: string,
  services: Services,
  mode: RunMode | null = null,
): Promise<CommitOutput> {
  return new StagedRun(pipeline, runReference(id), services).whole(mode)
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
