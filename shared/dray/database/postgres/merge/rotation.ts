import { quote } from '../names.ts'
import { DroppedRows, type Fault, tried, UNIQUE_VIOLATION } from './attempt.ts'
import type { Merging } from './merging.ts'
import { mayReinsert, type OtherKey, readOtherKeys } from './other-keys.ts'
import { among, RANK, type RankedRows } from './ranked-rows.ts'
import type { MergeSession } from './session.ts'
import type { MergeSql } from './sql.ts'

/** So often rows that are refused among those that swap are left out, and the others tried again. */
const MOST_ROUNDS = 10
const NO_WAY =
  'other rows of this load give up that value only together with it, for which the column has to allow NULL, or the load has to have every column of a table without triggers and foreign keys to it'

/** How the rows in the table make room: with NULL for their unique values, or deleted until they are inserted again. */
type Way = 'null' | 'deleted'

/**
 * Rows that wait for each other, since each takes a unique value that another one holds: two that swap their e-mails,
 * or a ring of any length. They land together, or none of them does.
 */
export class Rotation {
  readonly #session: MergeSession
  readonly #merging: Merging
  readonly #sql: MergeSql
  readonly #rows: RankedRows
  #keys: readonly OtherKey[] | null = null
  /** Those whose values rows of the ring take from each other. */
  #contested: readonly OtherKey[] = []

  constructor(session: MergeSession, merging: Merging, sql: MergeSql, rows: RankedRows) {
    this.#session = session
    this.#merging = merging
    this.#sql = sql
    this.#rows = rows
  }

  /** Merges such rows among those refused; returns how many landed. */
  async merge(): Promise<number> {
    if (!this.#sql.keyed || this.#merging.target.mode === 'insert') return 0
    const waiting = [...this.#rows.refused].filter(([, { code }]) => code === UNIQUE_VIOLATION).map(([rank]) => rank)
    if (waiting.length === 0) return 0
    this.#keys ??= await readOtherKeys(this.#session, this.#merging.target)
    let ring = await this.#ringOf(waiting)
    for (let round = 0; ring.length > 0 && round < MOST_ROUNDS; round++) {
      const left = await this.#mergeRing(ring)
      if (left.length === 0) return ring.length
      ring = await this.#ringOf(ring.filter((rank) => !left.includes(rank)))
    }
    return 0
  }

  /**
   * Of these rows those whose values are held by nobody but rows among them, and that one of them waits for: others
   * could take a value before a row of a ring does, and break it.
   */
  async #ringOf(ranks: readonly number[]): Promise<number[]> {
    const holders = new Map<number, (number | null)[]>(ranks.map((rank) => [rank, []]))
    const contested: OtherKey[] = []
    for (const key of this.#keys ?? []) {
      const { rows } = await this.#session.run(this.#holders(key, ranks))
      if (rows.length > 0) contested.push(key)
      for (const [rank, holder] of rows) {
        holders.get(Number(rank))?.push(holder === null || holder === undefined ? null : Number(holder))
      }
    }
    this.#contested = contested
    for (let before = 0; before !== holders.size; ) {
      before = holders.size
      const waitedFor = new Set([...holders.values()].flat())
      for (const [rank, own] of holders) {
        const isHeld = own.some((holder) => holder === null || !holders.has(holder))
        if (isHeld || !waitedFor.has(rank)) holders.delete(rank)
      }
    }
    return [...holders.keys()].sort((one, other) => one - other)
  }

  /** A SELECT of ranks, each with that of the row whose stored values it takes; NULL where it is not among them. */
  #holders({ expressions, predicate }: OtherKey, ranks: readonly number[]): string {
    const { key } = this.#merging.target
    const values = expressions.map((expression, index) => `${expression} AS u${index}`).join(', ')
    const where = predicate === null ? 'true' : `(${predicate})`
    const own = key.map(quote).join(', ')
    const ofTheirs = `SELECT ${RANK}, ${this.#sql.selected} FROM ${this.#rows.table} WHERE ${among(ranks)}`
    const same = (one: string, other: string) =>
      key.map((column) => `${one}.${quote(column)} = ${other}.${quote(column)}`).join(' AND ')
    const sameValues = expressions.map((_, index) => `t.u${index} = s.u${index}`).join(' AND ')
    return `SELECT s.${RANK}, h.${RANK} FROM (SELECT ${RANK}, ${own}, ${values} FROM (${ofTheirs}) r WHERE ${where}) s
      JOIN (SELECT ${own}, ${values} FROM ${this.#sql.target} WHERE ${where}) t ON ${sameValues} AND NOT (${same('t', 's')})
      LEFT JOIN (${ofTheirs}) h ON ${same('h', 't')}`
  }

  /** Returns the ranks that are refused even so; then nothing is written. */
  async #mergeRing(ring: readonly number[]): Promise<number[]> {
    const { refused } = this.#rows
    const faults = new Map(ring.map((rank) => [rank, refused.get(rank) as Fault]))
    // In one statement first: a constraint that may be deferred looks at its end.
    if (await this.#isWritten(ring, () => this.#rows.write(among(ring), ring.length))) return []
    const ways = await this.#ways()
    let left: number[] = [...ring]
    for (const way of ways) {
      let parked = false
      const isWritten = await this.#isWritten(ring, async () => {
        const deleted = await this.#makeRoom(ring, way)
        parked = true
        left = await this.#writeAll(ring, deleted)
        if (left.length > 0) throw new DroppedRows(this.#merging.target)
      })
      if (isWritten) return []
      for (const [rank, fault] of faults) refused.set(rank, fault)
      if (parked) return left
    }
    for (const [rank, fault] of faults) refused.set(rank, explained(fault))
    return [...ring]
  }

  async #isWritten(ring: readonly number[], work: () => Promise<void>): Promise<boolean> {
    const before = { ...this.#rows.merged }
    if ((await tried(this.#session, work)) === null) {
      for (const rank of ring) this.#rows.refused.delete(rank)
      return true
    }
    Object.assign(this.#rows.merged, before)
    return false
  }

  async #ways(): Promise<Way[]> {
    const byNull = this.#contested.length > 0 && this.#contested.every(({ nullable }) => nullable.length > 0)
    const byDelete = await mayReinsert(this.#session, this.#merging.target)
    return [...(byNull ? ['null' as const] : []), ...(byDelete ? ['deleted' as const] : [])]
  }

  /** Takes the values of the rows in the table away; returns the ranks of those that were deleted. */
  async #makeRoom(ring: readonly number[], way: Way): Promise<number[]> {
    const { target, conditions } = this.#sql
    const from = `(SELECT ${RANK}, ${this.#sql.selected} FROM ${this.#rows.table} WHERE ${among(ring)}) s`
    if (way === 'null') {
      const columns = new Set(this.#contested.map(({ nullable }) => nullable[0] as string))
      const nulls = [...columns].map((column) => `${quote(column)} = NULL`).join(', ')
      await this.#session.run(`UPDATE ${target} t SET ${nulls} FROM ${from} WHERE ${conditions.sameKey}`)
      return []
    }
    const { rows } = await this.#session.run(
      `WITH d AS (DELETE FROM ${target} t USING ${from} WHERE ${conditions.sameKey} RETURNING s.${RANK}) SELECT * FROM d`,
    )
    return rows.map(([rank]) => Number(rank))
  }

  /** All at once, or one by one to see which of them are refused. */
  async #writeAll(ring: readonly number[], deleted: readonly number[]): Promise<number[]> {
    const gone = new Set(deleted)
    const others = ring.filter((rank) => !gone.has(rank))
    const fault = await tried(this.#session, async () => {
      if (deleted.length > 0) await this.#rows.write(among(deleted), deleted.length, true)
      if (others.length > 0) await this.#rows.write(among(others), others.length)
    })
    return fault === null ? [] : this.#rows.writeEach(ring)
  }
}

function explained(fault: Fault): Fault {
  if (!fault.message.includes(NO_WAY)) fault.message = `${fault.message}; ${NO_WAY}`
  return fault
}
