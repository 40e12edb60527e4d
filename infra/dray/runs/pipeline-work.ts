interface Partition {
  /** Phases that are done: extract, transform, load. */
  done: number
  /** Rows that passed the running phase, and how many there are to pass. */
  rows: number
  of: number | null
  read: number
  loaded: number
}

export const phases = ['extract', 'transform', 'load'] as const
export type Phase = (typeof phases)[number]

/** How far the pipeline of a step, or of a table of a replica, has come. */
export class PipelineWork {
  expected = 0
  /** Rows of the whole window, as far as the plan knows. */
  windowRows = 0
  hasEnded = false
  #isPlanned = false
  readonly #partitions = new Map<number, Partition>()

  planned(partitions: number): void {
    this.#isPlanned = true
    this.expected = partitions
  }

  began(phase: string, index: number, rows: number | undefined): void {
    const partition = this.#partition(index)
    partition.rows = 0
    partition.of = rows ?? (this.windowRows > 0 ? this.windowRows / this.expected : null)
    partition.done = Math.max(0, phases.indexOf(phase as Phase))
  }

  passed(phase: Phase, index: number, rows: number): void {
    const partition = this.#partition(index)
    partition.rows = rows
    if (phase === 'extract') partition.read = rows
    if (phase === 'load') partition.loaded = rows
  }

  finished(phase: string, index: number, rows: number | undefined): void {
    const partition = this.#partition(index)
    partition.done = phases.indexOf(phase as Phase) + 1
    partition.rows = 0
    if (phase === 'extract') partition.read = rows ?? partition.read
    if (phase === 'load') partition.loaded = rows ?? partition.loaded
  }

  get rowsRead(): number {
    return sum([...this.#partitions.values()], ({ read }) => read)
  }

  get rowsLoaded(): number {
    return sum([...this.#partitions.values()], ({ loaded }) => loaded)
  }

  /** Plan, commit and each phase of each partition count the same; a running phase counts by its rows. */
  get fraction(): number {
    if (this.hasEnded) return 1
    if (!this.#isPlanned) return 0
    const passed = sum([...this.#partitions.values()], ({ done, rows, of }) => done + (of ? Math.min(rows / of, 1) : 0))
    return (1 + passed) / (2 + phases.length * this.expected)
  }

  #partition(index: number): Partition {
    const partition = this.#partitions.get(index) ?? { done: 0, rows: 0, of: null, read: 0, loaded: 0 }
    this.#partitions.set(index, partition)
    return partition
  }
}

export function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0)
}
