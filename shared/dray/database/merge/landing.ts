import { bisect } from './bisect.ts'
import type { Reason } from './spellings.ts'

/** So often rows that are refused among those that swap are left out, and the others tried again. */
const MOST_ROUNDS = 50
/** So often rows that are known to be at fault are left out, and the others written; then halves are tried. */
const MOST_LEFT_OUT = 20
const NO_WAY =
  'other rows of this load give up that value only together with it, for which the column has to allow NULL, or the load has to have every column of a table without triggers and foreign keys to it'

/** How rows in the table make room: with NULL for their unique values, or deleted until they are inserted again. */
export type Way = 'null' | 'deleted'

export interface WrittenCounts {
  inserted: number
  updated: number
  unchanged: number
}

/** Why rows were not written. */
export interface Fault extends Reason {
  /** Those at fault, by their places; not given where that is not known. */
  readonly places?: readonly number[]
}

/** Writes rows of different keys, by their places in the input, into the target. */
export interface RowWriter {
  readonly written: WrittenCounts
  /** Writes the rows as a whole, or leaves nothing behind and says why. */
  write(places: readonly number[]): Promise<Fault | null>
  /** Runs `work` under a savepoint; undoes it where it returns false. */
  under(work: () => Promise<boolean>): Promise<void>
  /** Takes the unique values of these rows away from the table; returns how many of them it has, null when refused. */
  makeRoom(places: readonly number[], way: Way): Promise<number | null>
  /** Of these rows those whose unique values another of them takes; all where the table's keys do not tell. */
  waitedFor(places: readonly number[]): Promise<readonly number[]>
  /** In which ways room can be made. */
  ways(): Promise<readonly Way[]>
  /** Whether the row's own values are at fault, so that no other row could mend it. */
  isOwnFault(fault: Reason): boolean
  /** Whether another row has a unique value of the row. */
  isTaken(fault: Reason): boolean
}

/**
 * Writes what the target takes of the rows; of the others it says why they are refused. Those are tried again when
 * others have landed (a parent that came later, a unique value that another row gave up), and where each waits for
 * another to give its value up, together.
 */
export async function landRows(writer: RowWriter, places: readonly number[]): Promise<Map<number, Reason>> {
  const landing = new Landing(writer)
  await landing.land(places)
  return landing.refused
}

class Landing {
  readonly refused = new Map<number, Reason>()
  readonly #writer: RowWriter

  constructor(writer: RowWriter) {
    this.#writer = writer
  }

  async land(places: readonly number[]): Promise<void> {
    await this.#writeEach(places)
    let landed = places.length - this.refused.size
    for (let lastFirst = true; this.refused.size > 0; lastFirst = !lastFirst) {
      landed = landed > 0 ? await this.#again(lastFirst) : 0
      if (landed === 0) landed = await this.#rotate()
      if (landed === 0) return
    }
  }

  async #writeEach(places: readonly number[]): Promise<number[]> {
    const left: number[] = []
    const leave = (place: number, fault: Reason) => {
      left.push(place)
      this.refused.set(place, fault)
    }
    await bisect<Reason>(
      places.length,
      async (from, to) => {
        const outcome = await this.#writeBut(places.slice(from, to))
        if ('error' in outcome) return { error: outcome.error, at: null }
        for (const [place, fault] of outcome.leftOut) leave(place, fault)
        return null
      },
      (at, fault) => leave(places[at] as number, fault),
    )
    return left
  }

  /** Writes rows but for those that are known to be at fault: the others may refer to each other in a circle. */
  async #writeBut(
    places: readonly number[],
  ): Promise<{ readonly error: Reason } | { readonly leftOut: ReadonlyMap<number, Reason> }> {
    const leftOut = new Map<number, Reason>()
    for (let rest = places, round = 0; ; round++) {
      const fault = await this.#writer.write(rest)
      if (fault === null) return { leftOut }
      const { places: known = [], ...error } = fault
      for (const place of known) leftOut.set(place, error)
      rest = places.filter((place) => !leftOut.has(place))
      if (known.length === 0 || rest.length === 0 || round === MOST_LEFT_OUT) return { error }
    }
  }

  /** The last ones first every other time: then a chain of them takes two rounds at most. */
  async #again(lastFirst: boolean): Promise<number> {
    const places = [...this.refused].filter(([, fault]) => !this.#writer.isOwnFault(fault)).map(([place]) => place)
    places.sort((one, other) => (lastFirst ? other - one : one - other))
    for (const place of places) this.refused.delete(place)
    return places.length - (await this.#writeEach(places)).length
  }

  /** Rows that swap their values, or a ring of any length: they land together, or none of them does. */
  async #rotate(): Promise<number> {
    const waiting = [...this.refused].filter(([, fault]) => this.#writer.isTaken(fault))
    if (waiting.length < 2) return 0
    const ways = await this.#writer.ways()
    const all = waiting.map(([place]) => place).sort((one, other) => one - other)
    const places = ways.length === 0 ? all : await this.#ringsOf(all)
    for (const way of ways) {
      const landed = await this.#rotateBy(way, places)
      for (const [place, fault] of waiting) if (!landed.has(place)) this.refused.set(place, fault)
      if (landed.size > 0) return landed.size
    }
    if (ways.length === 0) for (const [place, fault] of waiting) this.refused.set(place, explained(fault))
    return 0
  }

  /** Without the rows that nobody waits for: they could take a value before a row of a ring does, and break it. */
  async #ringsOf(places: readonly number[]): Promise<readonly number[]> {
    for (let rings = places; ; ) {
      const waitedFor = rings.length < 2 ? [] : await this.#writer.waitedFor(rings)
      if (waitedFor.length === rings.length) return rings
      rings = waitedFor
      if (rings.length === 0) return rings
    }
  }

  async #rotateBy(way: Way, places: readonly number[]): Promise<ReadonlySet<number>> {
    let ring = places
    for (let round = 0; ring.length > 1 && round < MOST_ROUNDS; round++) {
      const left = new Set(await this.#together(way, ring))
      if (left.size === 0) return new Set(ring)
      ring = await this.#ringsOf(ring.filter((place) => !left.has(place)))
    }
    return new Set()
  }

  /** Returns the rows that are refused even so; then nothing is written. */
  async #together(way: Way, ring: readonly number[]): Promise<readonly number[]> {
    const { written } = this.#writer
    const before = { ...written }
    let left: readonly number[] = ring
    await this.#writer.under(async () => {
      const stored = await this.#writer.makeRoom(ring, way)
      if (stored === null) return false
      for (const place of ring) this.refused.delete(place)
      left = await this.#writeEach(ring)
      // What was taken away and given again is an update, however it was written.
      Object.assign(written, before)
      if (left.length > 0) return false
      written.updated += stored
      written.inserted += ring.length - stored
      return true
    })
    return left
  }
}

function explained(fault: Reason): Reason {
  return fault.message.includes(NO_WAY) ? fault : { ...fault, message: `${fault.message}; ${NO_WAY}` }
}
