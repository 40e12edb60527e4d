import type { Plan } from 'dray/internal/pipeline/plan/staged-plan.ts'
import { readJson } from 'dray/internal/staging/documents.ts'
import { planPrefix } from 'dray/internal/staging/keys.ts'
import type { StagingStore } from 'dray/internal/staging/staging-store.ts'

/** Reads how many partitions the steps of a run have from their plans, each once. */
export class PlannedSizes {
  readonly sizes = new Map<string, number>()
  readonly #asked = new Set<string>()
  readonly #staging: StagingStore
  readonly #run: string

  constructor(staging: StagingStore, run: string) {
    this.#staging = staging
    this.#run = run
  }

  /** A step whose plan is another run's, or may not be read, stays without a size: only its bar is poorer. */
  async learn(step: string): Promise<void> {
    if (this.#asked.has(step)) return
    this.#asked.add(step)
    try {
      const [key] = await this.#staging.list(planPrefix(this.#run, step))
      if (key === undefined) return
      const { partitions } = await readJson<Pick<Plan, 'partitions'>>(this.#staging, key)
      this.sizes.set(step, partitions.length)
    } catch {}
  }
}
