import type { OutcomeInput, StepOutcome } from 'dray/internal/messages/stages.ts'

/** How pipelines ended in one run, as Commit and Outcome keep it in the state table. */
export class OutcomeTable {
  readonly #known = new Map<string, StepOutcome>()

  of(pipeline: string): StepOutcome | null {
    return this.#known.get(pipeline) ?? null
  }

  commit({ pipeline }: { readonly pipeline: string }): object {
    this.#known.set(pipeline, { status: 'success', reason: null })
    return { read: 5, last_run_before: null, last_run_after: '2026-01-01' }
  }

  outcome({ pipeline, outcome, fault }: OutcomeInput): StepOutcome {
    const known = this.of(pipeline)
    if (known !== null && (outcome === null || known.status === 'success')) return known
    const ending = outcome ?? { status: 'failed', reason: fault }
    this.#known.set(pipeline, ending)
    return ending
  }
}
