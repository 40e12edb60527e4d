import { modeOf, type RunMode } from 'dray/internal/messages/run-mode.ts'
import { resumedRuns } from 'dray/internal/pipeline/plan/resumed-runs.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import { timeText } from './memory-table.ts'
import type { Random } from './random.ts'
import type { ModeName } from './scenario.ts'
import type { SourceWriters } from './source-writers.ts'
import type { KnownRun } from './witness.ts'

/** What people ask runs for; what there is to be asked for is known only when they do. */
export class AskedRuns {
  readonly #random: Random
  readonly #state: StateStore
  readonly #writers: SourceWriters
  /** Milliseconds of the source's clock when the schedule starts. */
  readonly #epoch: number

  constructor(random: Random, state: StateStore, writers: SourceWriters, epoch: number) {
    this.#random = random
    this.#state = state
    this.#writers = writers
    this.#epoch = epoch
  }

  /** Null for a usual run, and where there is nothing to resume. `earlier` are the runs so far. */
  async mode(name: ModeName, earlier: readonly string[]): Promise<RunMode | null> {
    switch (name) {
      case 'usual':
        return null
      case 'backfill':
        return this.#backfill()
      case 'keys':
        return this.#keys()
      case 'replay':
        return { replay: this.#random.chance(0.4) ? this.#ofRun(earlier) : {} }
      case 'resume':
        return this.#resume(earlier)
    }
  }

  #backfill(): RunMode {
    const from = this.#epoch + 1000 * this.#random.integer(-600, 9_000)
    const to = from + 1000 * this.#random.pick([1, 600, 5_000, 40_000])
    return { backfill: { from: timeText(from), to: timeText(to), chunk: this.#random.pick(['20m', '3h']) } }
  }

  /** What one run has quarantined, whatever others have of the same rows. */
  #ofRun(earlier: readonly string[]): { readonly run?: string } {
    const run = earlier[this.#random.integer(0, earlier.length)]
    return run === undefined ? {} : { run }
  }

  #keys(): RunMode {
    const known = this.#writers.keys
    const some = known.filter(() => this.#random.chance(0.4))
    return { keys: [...(some.length > 0 ? some : known), ['9', '9']].map((key) => [...key]) }
  }

  async #resume(earlier: readonly string[]): Promise<RunMode | null> {
    const failed: string[] = []
    for (const id of earlier) {
      // As the command does: a run that somebody still works on is not resumed, nor one that resumes a lost one.
      if ((await this.#state.run(id))?.run.status === 'failed' && (await this.#isWhole(id))) failed.push(id)
    }
    const id = this.#random.chance(0.6) ? failed.at(-1) : failed[this.#random.integer(0, failed.length)]
    return id === undefined ? null : { resume: id }
  }

  #isWhole(id: string): Promise<boolean> {
    return resumedRuns(this.#state, id).then(
      () => true,
      () => false,
    )
  }

  /** Of a run that is resumed, what the first one was asked for, and which ones it resumes. */
  async original(mode: RunMode | null): Promise<Pick<KnownRun, 'mode' | 'resumes'>> {
    if (mode === null || !('resume' in mode)) return { mode, resumes: [] }
    const chain = await resumedRuns(this.#state, mode.resume)
    const first = chain.at(-1)
    return {
      mode: first === undefined ? null : (modeOf(first.run) as KnownRun['mode']),
      resumes: chain.map(({ run }) => run.id),
    }
  }
}
