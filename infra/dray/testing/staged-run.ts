import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import type { RunReference } from 'dray/internal/messages/run-reference.ts'
import type { CommitOutput, LoadInput, LoadOutput, PlanOutput } from 'dray/internal/messages/stages.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { commit } from 'dray/internal/pipeline/stages/commit.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'

/** A run of a pipeline in this process, stage after stage; each is given what the state machine would give it. */
export class StagedRun {
  readonly #pipeline: Pipeline
  readonly #run: RunReference
  readonly #services: Services

  constructor(pipeline: Pipeline, run: RunReference, services: Services) {
    this.#pipeline = pipeline
    this.#run = run
    this.#services = services
  }

  plan(mode: RunMode | null = null): Promise<PlanOutput> {
    return plan(this.#pipeline, { run: this.#run, pipeline: this.#pipeline.name, mode }, this.#services)
  }

  /** Extracts and transforms one partition. */
  async prepare(planned: PlanOutput, partition: number): Promise<LoadInput> {
    const extracted = await extract(this.#pipeline, { ...this.#input(planned), partition }, this.#services)
    return transform(this.#pipeline, extracted, this.#services)
  }

  load(input: LoadInput): Promise<LoadOutput> {
    return load(this.#pipeline, input, this.#services)
  }

  commit(planned: PlanOutput): Promise<CommitOutput> {
    return commit(this.#pipeline, this.#input(planned), this.#services)
  }

  /** All of it, partition after partition. */
  async whole(mode: RunMode | null = null): Promise<CommitOutput> {
    const planned = await this.plan(mode)
    for (const { partition } of planned.partitions) await this.load(await this.prepare(planned, partition))
    return this.commit(planned)
  }

  #input({ plan: staged, epoch, planned_by }: PlanOutput) {
    return { run: this.#run, pipeline: this.#pipeline.name, plan: staged, epoch, planned_by }
  }
}
