import type { Text } from '#dray/block/block.ts'
import { bisect, type Refusal } from '#dray/database/merge/bisect.ts'
import { DROPPED } from '../../adapter.ts'
import { quote } from '../names.ts'
import { DroppedRows, type Fault, isOwnFault, judgeDeferred, tried, UNIQUE_VIOLATION } from './attempt.ts'
import type { Merging } from './merging.ts'
import type { MergeSession } from './session.ts'
import { PLACE } from './spellings.ts'
import type { MergeSql, Rows } from './sql.ts'

export const RANK = '"dray$rank"'

/** What a second look may mend: another transaction wrote the row after the statement's snapshot was taken. */
const SEEN_LATER: ReadonlySet<string | undefined> = new Set([UNIQUE_VIOLATION, DROPPED])

/** Rows of different keys in a temporary table, ranked from 0, on their way into the target. */
export class RankedRows {
  readonly table: string
  /** Of each rank the row's place. */
  places: readonly number[] = []
  readonly merged = { inserted: 0, updated: 0, unchanged: 0 }
  /** The ranks that the target refuses so far. */
  readonly refused = new Map<number, Fault>()
  /** Of these the ones that only another of them could mend: not tried before one of the others has landed. */
  readonly waiting = new Set<number>()
  readonly #session: MergeSession
  readonly #merging: Merging
  readonly #sql: MergeSql

  constructor(session: MergeSession, merging: Merging, sql: MergeSql) {
    this.table = `pg_temp.${session.name('ranked')}`
    this.#session = session
    this.#merging = merging
    this.#sql = sql
  }

  /** Takes the rows of a SELECT for which `where` holds. */
  async rank(select: string, where: string): Promise<void> {
    const analyzed = [RANK, ...(this.#sql.keyed ? this.#merging.target.key.map(quote) : [])].join(', ')
    await this.#session.run(
      `CREATE TEMPORARY TABLE ${this.table.replace('pg_temp.', '')} ON COMMIT DROP AS
         SELECT row_number() OVER (ORDER BY ${PLACE}) - 1 AS ${RANK}, * FROM (${select}) s WHERE ${where};
       CREATE UNIQUE INDEX ON ${this.table} (${RANK}); ANALYZE ${this.table} (${analyzed})`,
    )
    const { rows } = await this.#session.run(`SELECT ${PLACE} FROM ${this.table} ORDER BY ${RANK}`)
    this.places = rows.map(([place]) => Number(place))
  }

  /** Merges every row that the target takes, by itself or with others; returns nothing of those refused. */
  async mergeAll(): Promise<void> {
    await bisect(
      this.places.length,
      (from, to) => this.#attempt(`${RANK} >= ${from} AND ${RANK} < ${to}`, to - from),
      (rank, fault) => this.refused.set(rank, fault),
    )
  }

  /**
   * Tries refused rows again that others may have made room for, the last ones first every other time: a parent that
   * came later, a unique value that another row gave up. Returns how many landed.
   */
  async mergeAgain(lastFirst: boolean): Promise<number> {
    const mayLand = [...this.refused].filter(([rank, fault]) => !isOwnFault(fault) && !this.waiting.has(rank))
    const ranks = mayLand.map(([rank]) => rank)
    ranks.sort((one, other) => (lastFirst ? other - one : one - other))
    const landed = ranks.length - (await this.writeEach(ranks)).length
    if (landed > 0) this.waiting.clear()
    return landed
  }

  /** Writes all rows but those that are refused, as a whole, or nothing; returns why. */
  async writeRest(): Promise<Fault | null> {
    const count = this.places.length - this.refused.size
    return count === 0 ? null : this.#tried(this.rest(), count)
  }

  /** The condition of the rows that are not refused. */
  rest(): string {
    return this.refused.size === 0 ? 'true' : `NOT ${among([...this.refused.keys()])}`
  }

  /** Of the rows that are not refused those that the target would refuse for such a fault; nothing is written. */
  async faulty(isMeant: (fault: Fault) => boolean): Promise<Map<number, Fault>> {
    const ranks = Array.from(this.places, (_, rank) => rank).filter((rank) => !this.refused.has(rank))
    const found = new Map<number, Fault>()
    const before = { ...this.merged }
    const done = new DroppedRows(this.#merging.target)
    await bisect<Fault>(
      ranks.length,
      async (from, to) => {
        const error = await tried(this.#session, async () => {
          await this.write(among(ranks.slice(from, to)), to - from)
          throw done
        })
        return error === null || error === done || !isMeant(error) ? null : { error, at: null }
      },
      (at, fault) => found.set(ranks[at] as number, fault),
    )
    Object.assign(this.merged, before)
    return found
  }

  /** Writes what the target takes of these rows; returns the ranks of the others. */
  async writeEach(ranks: readonly number[]): Promise<number[]> {
    for (const rank of ranks) this.refused.delete(rank)
    await bisect(
      ranks.length,
      (from, to) => this.#attempt(among(ranks.slice(from, to)), to - from),
      (at, fault) => this.refused.set(ranks[at] as number, fault),
    )
    return ranks.filter((rank) => this.refused.has(rank))
  }

  /** Rows that are dropped are noted, what was done for them is undone, and the others are written without them. */
  async #attempt(where: string, count: number): Promise<Refusal<Fault> | null> {
    const error = await this.#tried(where, count)
    const dropped = error instanceof DroppedRows ? error.ranks : []
    if (dropped.length === 0 || count === 1) return error === null ? null : { error, at: null }
    if (dropped.length < count) {
      const again = await this.#tried(`${where} AND NOT ${among(dropped)}`, count - dropped.length)
      if (again !== null) return { error: again, at: null }
    }
    for (const rank of dropped) this.refused.set(rank, error as DroppedRows)
    return null
  }

  async #tried(where: string, count: number): Promise<Fault | null> {
    const write = () => tried(this.#session, () => this.write(where, count))
    const error = await write()
    return error !== null && count === 1 && SEEN_LATER.has(error.code) ? write() : error
  }

  /** Merges these rows as a whole, or throws; `asUpdates`: they were taken out to be put in again. */
  async write(where: string, count: number, asUpdates = false): Promise<void> {
    const naming = this.#sql.mergeNaming(this.table, where, RANK)
    const { rows } = await this.#session.run(naming ?? this.#sql.merge(this.#rowsWhere(where)))
    const [inserted = 0, updated = 0, unchanged = 0] = (rows[0] ?? []).slice(naming === null ? 2 : 0).map(Number)
    if (inserted + updated + unchanged !== count) throw new DroppedRows(this.#merging.target, ranksOf(rows[0]?.[3]))
    if (await this.#lacks(where)) throw new DroppedRows(this.#merging.target)
    await judgeDeferred(this.#session, this.#merging.table)
    this.merged.inserted += asUpdates ? 0 : inserted
    this.merged.updated += asUpdates ? inserted + updated : updated
    this.merged.unchanged += unchanged
  }

  /** Whether a trigger has written rows under other keys. */
  async #lacks(where: string): Promise<boolean> {
    if (!this.#merging.table.changesWritten || !this.#sql.keyed) return false
    const { rows } = await this.#session.run(this.#sql.missing(this.#rowsWhere(where).select('true')))
    return rows[0]?.[0] !== '0'
  }

  #rowsWhere(where: string): Rows {
    return {
      count: `SELECT count(*), 0 FROM ${this.table} WHERE ${where}`,
      select: (more) => `SELECT ${this.#sql.selected} FROM ${this.table} s WHERE ${where} AND ${more} ORDER BY ${RANK}`,
    }
  }
}

function ranksOf(list: Text | undefined): number[] {
  return list ? list.split(',').map(Number) : []
}

/** The condition of these ranks. */
export function among(ranks: readonly number[]): string {
  return `${RANK} = ANY('{${ranks.join(',')}}'::bigint[])`
}
