import type { StagingStore } from '#dray/staging/staging-store.ts'

/** Objects of the quarantine that could not be read; the others are worked with all the same. */
export class DamagedObjects {
  readonly #rows: string[] = []
  readonly #logs: string[] = []

  add(kind: 'rows' | 'log', key: string, staging: StagingStore): void {
    const found = kind === 'rows' ? this.#rows : this.#logs
    const location = staging.locate(key)
    if (!found.includes(location)) found.push(location)
  }

  /** Where the records lie that could not be read: which rows are closed is not known for sure then. */
  get logs(): readonly string[] {
    return this.#logs
  }

  /** Sentences for a person: one for each object. */
  get notes(): string[] {
    return [
      ...this.#rows.map(
        (location) =>
          `${location} is damaged, so its rows are left out: they are not listed, not replayed, and no run closes them; put a copy of the object back, or remove it and load its rows again by \`dray backfill\` or \`dray run <pipeline> --keys\``,
      ),
      ...this.#logs.map(
        (location) =>
          `${location} is damaged, so rows that it alone says are closed count as open; put a copy of the object back, or remove it`,
      ),
    ]
  }
}
