import type { SharedKeys } from './shared-keys.ts'

/** The places of refused rows that share their keys, and are newer than what has landed of them. */
export class NewerRows {
  /** Of each key, the newest first. */
  readonly #keys: number[][]
  readonly #first = new Map<number, boolean>()
  readonly landed: number[] = []

  constructor({ newer }: SharedKeys, places: ReadonlyMap<string, readonly number[]>) {
    this.#keys = newer.map((lines) => [...new Set(lines)].flatMap((line) => places.get(line) ?? []))
    for (const rows of this.#keys) for (const [at, place] of rows.entries()) this.#first.set(place, at === 0)
  }

  /** Whether it is the newest of its key that may land; undefined where it shares none. */
  isFirst(place: number): boolean | undefined {
    return this.#first.get(place)
  }

  /** The rows whose newer one is not left any more, since it has landed. */
  outdated(left: ReadonlySet<number>): number[] {
    const outdated: number[] = []
    for (const rows of this.#keys) {
      const [newest, ...others] = rows
      if (newest === undefined || left.has(newest)) continue
      this.landed.push(newest)
      outdated.push(...others)
      rows.length = 0
    }
    return outdated
  }

  /** Lets the next row of each key be tried; false where none has another one. */
  giveUp(): boolean {
    let hasNext = false
    for (const rows of this.#keys) {
      const newest = rows.shift()
      if (newest === undefined) continue
      this.#first.set(newest, false)
      const [next] = rows
      if (next === undefined) continue
      this.#first.set(next, true)
      hasNext = true
    }
    return hasNext
  }
}
