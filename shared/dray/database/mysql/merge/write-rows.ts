import type { Text } from '#dray/block/block.ts'
import type { RowWriter, Way } from '#dray/database/merge/landing.ts'
import { areNeighbours } from '#dray/database/merge/neighbours.ts'
import type { Reason } from '#dray/database/merge/spellings.ts'
import { waitedFor } from '#dray/database/merge/waited-for.ts'
import { DROPPED } from '../../adapter.ts'
import { withoutRow } from '../translate.ts'
import { refusalOf } from './load-inserts.ts'
import type { Merging } from './merging.ts'
import { sameColumns } from './same-columns.ts'
import type { StagedColumn } from './staged-columns.ts'
import { mayReinsert, referredColumns } from './target-table.ts'

const SAVEPOINT = '`dray_merge`'
const TOGETHER = '`dray_together`'
/** Another row has a unique value: 1022, 1062, 1169, 1586. */
const TAKEN = new Set(['1022', '1062', '1169', '1586'])
/** What other rows may mend: foreign keys, SIGNAL of a trigger. */
const MENDED = new Set([...TAKEN, '1216', '1217', '1451', '1452', '1644', '1761', '1762', DROPPED])
/** What a second look may mend: another transaction wrote the row meanwhile. */
const SEEN_LATER = new Set(['1062', DROPPED])

/** Writes staged rows into the target, and counts what became of them. */
export class StagedWriter implements RowWriter {
  readonly written = { inserted: 0, updated: 0, unchanged: 0 }
  readonly #merging: Merging
  /** The places of all staged rows, ascending. */
  readonly #places: readonly number[]
  #cleared: readonly string[] = []

  constructor(merging: Merging, places: readonly number[]) {
    this.#merging = merging
    this.#places = places
  }

  async write(places: readonly number[]): Promise<Reason | null> {
    const before = { ...this.written }
    for (let look = 1; ; look++) {
      const fault = await this.#writeOnce(places)
      if (fault === null) return null
      Object.assign(this.written, before)
      if (places.length > 1 || look > 1 || !SEEN_LATER.has(fault.code)) return fault
    }
  }

  async #writeOnce(places: readonly number[]): Promise<Reason | null> {
    const { session, target, sql } = this.#merging
    const where = this.#condition(places)
    await session.run(`SAVEPOINT ${SAVEPOINT}`)
    const fault =
      target.mode === 'insert'
        ? await this.#counted(sql.insert(where), ({ affected }) => this.#isAll(places, { inserted: affected }))
        : sql.isOneStatement
          ? await this.#counted(sql.upsert(where), (counts) => this.#isAll(places, upserted(counts)))
          : await this.#writeApart(places, where)
    const dropped = fault === null && (await lacksRows(this.#merging, where)) ? this.#dropped() : fault
    if (dropped === null) return null
    await session.run(`ROLLBACK TO SAVEPOINT ${SAVEPOINT}`)
    return { ...dropped, message: withoutRow(dropped.message) }
  }

  /** Rows that are equal, or older, are met by no statement that writes, so that no trigger sees them. */
  async #writeApart(places: readonly number[], where: string): Promise<Reason | null> {
    const { session, sql, live } = this.#merging
    // Where transactions see the table as it was when they began, only a locking read sees it as it is.
    const lock = session.facts.logsStatements ? ' LOCK IN SHARE MODE' : ''
    const { rows } = await session.run(`${sql.look(where)}${lock}`, { signal: session.signal })
    const [staged = 0, stored = 0, unchanged = 0] = (rows[0] ?? []).map(Number)
    const counts = { inserted: 0, updated: 0, unchanged }
    let reverted = 0
    if (stored > unchanged) {
      const fault = await this.#counted(sql.update(where), ({ records, duplicates }) => {
        counts.updated = duplicates
        reverted = records - duplicates
        return true
      })
      if (fault !== null) return fault
    }
    if (staged > stored) {
      const fault = await this.#counted(sql.insertNew(where), ({ affected }) => {
        counts.inserted = affected
        return true
      })
      if (fault !== null) return fault
    }
    // Met, though it has the values already: SET writes its members in another order. Or a trigger took them back.
    if (!live.hasUpdateTrigger) counts.unchanged += reverted
    return this.#isAll(places, counts) ? null : this.#dropped()
  }

  async #counted(
    statement: string,
    isWhole: (counts: { affected: number; records: number; duplicates: number }) => boolean,
  ): Promise<Reason | null> {
    let whole = true
    const fault = await refusalOf(this.#merging.session, statement, (counts) => {
      whole = isWhole(counts)
    })
    return fault ?? (whole ? null : this.#dropped())
  }

  #isAll(places: readonly number[], { inserted = 0, updated = 0, unchanged = 0 }: Partial<StagedWriter['written']>) {
    this.written.inserted += inserted
    this.written.updated += updated
    this.written.unchanged += unchanged
    return inserted + updated + unchanged === places.length
  }

  #dropped(): Reason {
    const { table } = this.#merging.target
    return {
      code: DROPPED,
      column: null,
      message: `the database took the row without an error but did not write it to ${table}: a trigger has put the old values back, or changed the key; mend it, or filter such rows out`,
    }
  }

  /** Rows that stand one after another are named by the first and the last. */
  #condition(places: readonly number[]): string {
    const { staging } = this.#merging
    if (areNeighbours(places, this.#places)) return staging.range(places[0] ?? 0, (places.at(-1) ?? 0) + 1)
    return `${staging.ordinal} IN (${places.map((place) => staging.ordinalOf(place)).join(', ')})`
  }

  async under(work: () => Promise<boolean>): Promise<void> {
    const { session } = this.#merging
    await session.run(`SAVEPOINT ${TOGETHER}`)
    if (!(await work())) await session.run(`ROLLBACK TO SAVEPOINT ${TOGETHER}`)
    await session.run(`RELEASE SAVEPOINT ${TOGETHER}`)
  }

  async makeRoom(places: readonly number[], way: Way): Promise<number | null> {
    const { session, sql } = this.#merging
    const where = this.#condition(places)
    const { rows } = await session.run(sql.look(where))
    const statement = way === 'null' ? sql.clear(this.#cleared, where) : sql.delete(where)
    return (await refusalOf(session, statement)) === null ? Number(rows[0]?.[1]) : null
  }

  async waitedFor(places: readonly number[]): Promise<readonly number[]> {
    const { session, staging, sql, live, target } = this.#merging
    const others = otherKeys(this.#merging)
    const column = (name: string) => staging.columns.find((candidate) => candidate.name === name) as StagedColumn
    const areTold = live.areKeysWhole && others.every((key) => key.every((name) => target.columns.includes(name)))
    if (!areTold) return places
    const where = this.#condition(places)
    const keyed = async (statement: string) =>
      (await session.run(statement)).rows.map(([ordinal, ...key]) => [Number(ordinal), key] as const)
    const taken: (readonly [number, readonly Text[]])[] = []
    for (const key of others) taken.push(...(await keyed(sql.taken(key.map(column), where))))
    const ordinals = waitedFor(await keyed(sql.stored(where)), taken)
    return places.filter((place) => ordinals.includes(staging.ordinalOf(place)))
  }

  async ways(): Promise<readonly Way[]> {
    const { session, target, live } = this.#merging
    if (target.mode === 'insert') return []
    const isDeleted = await mayReinsert(session, target, live)
    this.#cleared = clearedColumns(this.#merging, await referredColumns(session, target))
    return [...(this.#cleared.length > 0 ? ['null' as const] : []), ...(isDeleted ? ['deleted' as const] : [])]
  }

  isOwnFault({ code }: Reason): boolean {
    return !MENDED.has(code)
  }

  isTaken({ code }: Reason): boolean {
    // Rows that are inserted take nothing from those that are there.
    return this.#merging.target.mode !== 'insert' && TAKEN.has(code)
  }
}

/** Whether a trigger has written rows under other keys. */
async function lacksRows({ session, live, sql }: Merging, where: string): Promise<boolean> {
  if (!live.mayHaveTriggers || sql.key.length === 0) return false
  const { rows } = await session.run(sql.missing(where), { signal: session.signal })
  return rows[0]?.[0] !== '0'
}

/** Of each unique key that is not the merge's a column that may be NULL for a while. */
function clearedColumns(merging: Merging, referred: ReadonlySet<string>): string[] {
  const { target, live } = merging
  const { key, version, columns } = target
  const may = (name: string) =>
    columns.includes(name) &&
    !key.includes(name) &&
    !referred.has(name) &&
    name !== version &&
    live.columns.some((column) => column.name === name && column.nullable)
  return [...new Set(otherKeys(merging).flatMap((unique) => unique.find(may) ?? []))]
}

/** The columns of the unique keys other than the merge's. */
function otherKeys({ target, live }: Merging): readonly (readonly string[])[] {
  const keys = [live.primaryKey, ...live.uniqueKeys]
  return keys.filter((unique) => unique.length > 0 && !sameColumns(unique, target.key))
}

/** What an INSERT … ON DUPLICATE KEY UPDATE did: a new row counts once as affected, a changed one twice. */
export function upserted({ affected, records, duplicates }: { affected: number; records: number; duplicates: number }) {
  const inserted = affected - 2 * duplicates
  return { inserted, updated: duplicates, unchanged: records - inserted - duplicates }
}
