import type { Fault, RowWriter, Way } from '#dray/database/merge/landing.ts'
import { areNeighbours } from '#dray/database/merge/neighbours.ts'
import type { Reason } from '#dray/database/merge/spellings.ts'
import { waitedFor } from '#dray/database/merge/waited-for.ts'
import { DROPPED } from '../../adapter.ts'
import { columnOf, isRowFault } from '../translate.ts'
import { DeferredKeys } from './deferred-keys.ts'
import type { Merging } from './merging.ts'
import { ORDINAL } from './sql.ts'
import { hasOddKeys, mayReinsert, otherKeys, referredColumns } from './target-table.ts'

/** Another row has a unique value: SQLITE_CONSTRAINT_UNIQUE, _PRIMARYKEY, _ROWID. */
const TAKEN = new Set(['2067', '1555', '2579'])
/** What other rows may mend: SQLITE_CONSTRAINT_FOREIGNKEY, _TRIGGER. */
const MENDED = new Set([...TAKEN, '787', '1811', DROPPED])

/** Writes staged rows into the target, and counts what became of them. */
export class StagedWriter implements RowWriter {
  readonly written = { inserted: 0, updated: 0, unchanged: 0 }
  readonly #merging: Merging
  /** The places of all staged rows, ascending. */
  readonly #places: readonly number[]
  readonly #deferred: DeferredKeys

  constructor(merging: Merging, places: readonly number[]) {
    this.#merging = merging
    this.#places = places
    this.#deferred = new DeferredKeys(merging)
  }

  async write(places: readonly number[]): Promise<Fault | null> {
    this.#merging.session.check()
    const counts = { inserted: 0, updated: 0, unchanged: 0 }
    const fault = this.#tried('dray_write', () => {
      Object.assign(counts, this.#merging.live.isView ? this.#insertEach(places) : this.#writeAll(places))
      const isWhole = counts.inserted + counts.updated + counts.unchanged === places.length
      if (!isWhole || this.#lacksRows(places)) return this.#dropped()
      return this.#deferred.judge(this.#condition(places))
    })
    if (fault !== null) return fault
    this.written.inserted += counts.inserted
    this.written.updated += counts.updated
    this.written.unchanged += counts.unchanged
    return null
  }

  /** Rows that are equal, or older, are met by no statement that writes, so that no trigger sees them. */
  #writeAll(places: readonly number[]): StagedWriter['written'] {
    const { sql, target, key } = this.#merging
    const where = this.#condition(places)
    if (target.mode === 'insert' || key === null)
      return { inserted: this.#run(sql.insert(where)), updated: 0, unchanged: 0 }
    const [stored = 0, unchanged = 0] = this.#numbers(sql.look(where))
    const update = stored === unchanged ? null : sql.update(where)
    const updated = update === null ? 0 : this.#run(update)
    // Nobody else writes meanwhile.
    const rest = stored === 0 ? sql.insert(where) : sql.insertNew(where)
    return { inserted: stored === places.length ? 0 : this.#run(rest), updated, unchanged }
  }

  /** Whether a trigger has written rows under other keys. */
  #lacksRows(places: readonly number[]): boolean {
    const { sql, key, live } = this.#merging
    if (!live.hasTriggers || live.isView || key === null) return false
    return this.#numbers(sql.missing(this.#condition(places)))[0] !== 0
  }

  /** What a view's triggers wrote is not counted for its own statement. */
  #insertEach(places: readonly number[]): StagedWriter['written'] {
    const { sql } = this.#merging
    const changes = () => this.#numbers('SELECT total_changes()')[0] ?? 0
    let inserted = 0
    for (const place of places) {
      const before = changes()
      this.#run(sql.insert(this.#condition([place])))
      if (changes() > before) inserted += 1
    }
    return { inserted, updated: 0, unchanged: 0 }
  }

  /** Runs `work` under a savepoint; a row's fault undoes it and is returned, anything else is thrown. */
  #tried(savepoint: string, work: () => Fault | null): Fault | null {
    const { database } = this.#merging.session
    database.exec(`SAVEPOINT ${savepoint}`)
    let fault: Fault | null = null
    try {
      fault = work()
    } catch (error) {
      // A row's fault leaves the transaction open.
      if (!isRowFault(error) || !database.isTransaction) throw error
      fault = { code: String(error.errcode), column: columnOf(error), message: error.message }
    }
    database.exec(fault === null ? `RELEASE ${savepoint}` : `ROLLBACK TO ${savepoint}; RELEASE ${savepoint}`)
    return fault
  }

  #dropped(): Reason {
    const { table } = this.#merging.target
    return {
      code: DROPPED,
      column: null,
      message: `the database took the row without an error but did not write it to ${table}: a trigger with RAISE(IGNORE), one that changes the key, or a view's INSTEAD OF trigger dropped it; mend it, or filter such rows out`,
    }
  }

  #condition(places: readonly number[]): string {
    if (areNeighbours(places, this.#places)) return `s.${ORDINAL} BETWEEN ${places[0]} AND ${places.at(-1)}`
    return `s.${ORDINAL} IN (${places.join(', ')})`
  }

  #run(sql: string): number {
    return Number(this.#merging.session.database.prepare(sql).run().changes)
  }

  #numbers(sql: string): number[] {
    return (this.#merging.session.rows(sql)[0] ?? []).map(Number)
  }

  async under(work: () => Promise<boolean>): Promise<void> {
    const { database } = this.#merging.session
    database.exec('SAVEPOINT dray_together')
    if (!(await work())) database.exec('ROLLBACK TO dray_together')
    database.exec('RELEASE dray_together')
  }

  async makeRoom(places: readonly number[], way: Way): Promise<number | null> {
    const { sql } = this.#merging
    const where = this.#condition(places)
    const [stored = 0] = this.#numbers(sql.look(where))
    const statement = way === 'null' ? sql.clear(this.#cleared(), where) : sql.delete(where)
    const isWhole = () => (this.#run(statement) === stored ? null : this.#dropped())
    return this.#tried('dray_room', isWhole) === null ? stored : null
  }

  async waitedFor(places: readonly number[]): Promise<readonly number[]> {
    const { session, sql, target } = this.#merging
    const others = otherKeys(this.#merging)
    const areTold = others.every(({ columns }) => columns.every((name) => target.columns.includes(name)))
    if (!areTold || hasOddKeys(this.#merging)) return places
    const where = this.#condition(places)
    const keyed = (statement: string) => session.rows(statement).map(([place, ...key]) => [Number(place), key] as const)
    return waitedFor(
      keyed(sql.stored(where)),
      others.flatMap((key) => keyed(sql.taken(key, where))),
    )
  }

  async ways(): Promise<readonly Way[]> {
    const { key, target } = this.#merging
    if (key === null || target.mode === 'insert') return []
    const isDeleted = mayReinsert(this.#merging)
    return [...(this.#cleared().length > 0 ? ['null' as const] : []), ...(isDeleted ? ['deleted' as const] : [])]
  }

  /** Of each unique key that is not the merge's a column that may be NULL for a while. */
  #cleared(): string[] {
    const { target, live } = this.#merging
    const { key, version, columns } = target
    const referred = referredColumns(this.#merging)
    const may = (name: string) =>
      columns.includes(name) &&
      !key.includes(name) &&
      !referred.has(name) &&
      name !== version &&
      live.columns.some((column) => column.name === name && column.nullable)
    return [...new Set(otherKeys(this.#merging).flatMap(({ columns: unique }) => unique.find(may) ?? []))]
  }

  isOwnFault({ code }: Reason): boolean {
    return !MENDED.has(code)
  }

  isTaken({ code }: Reason): boolean {
    // Rows that are inserted take nothing from those that are there.
    return this.#merging.target.mode !== 'insert' && TAKEN.has(code)
  }
}
