import type { CatalogueDocument } from './documents.ts'
import { lastStart, nextStarts } from './next-starts.ts'

/** How often it is looked whether a start is due, in ms. */
const LOOK_MS = 1_000
/** Starts of one schedule that are looked at after a sleep. */
const MOST_DUE = 1_000

interface Start {
  readonly workflow: string
  readonly at: number
}

/** Starts workflows by the clock of this machine, from when it is switched on. */
export class Schedules {
  readonly #start: (workflow: string, at: number) => void
  readonly #catalogue: () => Promise<CatalogueDocument | null>
  #timer: NodeJS.Timeout | null = null
  #lookedUntil = 0

  constructor(catalogue: () => Promise<CatalogueDocument | null>, start: (workflow: string, at: number) => void) {
    this.#catalogue = catalogue
    this.#start = start
  }

  get isOn(): boolean {
    return this.#timer !== null
  }

  turn(isOn: boolean): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#lookedUntil = Date.now()
    this.#timer = isOn ? setInterval(() => void this.look(Date.now()), LOOK_MS) : null
  }

  async next(after: number, most: number): Promise<Start[]> {
    const workflows = (await this.#catalogue())?.workflows ?? []
    return workflows
      .flatMap(({ name, schedules }) => nextStarts(schedules, after, most).map((at) => ({ workflow: name, at })))
      .sort((one, other) => one.at - other.at)
      .slice(0, most)
  }

  /** Starts what is due; of a machine that was asleep, each workflow once. */
  async look(now: number): Promise<void> {
    const from = this.#lookedUntil
    this.#lookedUntil = now
    for (const { name, schedules } of (await this.#catalogue())?.workflows ?? []) {
      const at = lastStart(schedules, { after: from, until: now, most: MOST_DUE })
      if (at !== null) this.#start(name, at)
    }
  }
}
