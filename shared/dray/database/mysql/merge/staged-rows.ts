import type { OpenBlocks } from '#dray/block/block.ts'
import { otherSpellings, type Reason, spelledTwice, storedOtherwise } from '#dray/database/merge/spellings.ts'
import type { StandIns } from '#dray/database/merge/stand-ins.ts'
import { TerminalError } from '#dray/errors.ts'
import { quote } from '../names.ts'
import { loadData } from './load-data.ts'
import { InsertLoader } from './load-inserts.ts'
import type { Merging } from './merging.ts'
import type { Flaw } from './staged-columns.ts'
import type { Faults } from './staging-table.ts'

/**
 * The rows in the staging table, but for those that are refused before they meet the target: since a column would
 * change a value of theirs, or since their key comes in another spelling, here or there.
 */
export class StagedRows {
  /** Rows given, among them those refused. */
  given = 0
  faults: Faults = new Map()
  /** Rows that gave way to a later one of their key. */
  duplicate = 0
  readonly #merging: Merging
  /** They, the last first, by the later one. */
  readonly #earlier = new Map<number, number[]>()

  constructor(merging: Merging) {
    this.#merging = merging
  }

  async stage(open: OpenBlocks): Promise<void> {
    const { target, sql } = this.#merging
    await this.#load(open)
    await this.#check(open)
    if (target.mode === 'insert') await this.#refuseExisting()
    else if (sql.isSpelled && target.respell !== true) await this.#refuseStoredOtherwise()
  }

  /** The places of the rows that are left, ascending. */
  get places(): number[] {
    const gone = new Set([...this.#earlier.values()].flat())
    const places: number[] = []
    for (let place = 0; place < this.given; place++) {
      if (!this.faults.has(place) && !gone.has(place)) places.push(place)
    }
    return places
  }

  /** Of these rows the earlier ones of their keys. */
  standIns(refused: Iterable<number>): StandIns {
    const standIns = new Map<number, number[]>()
    for (const row of refused) {
      const earlier = this.#earlier.get(row)
      if (earlier !== undefined) standIns.set(row, earlier)
    }
    return standIns
  }

  async #load(open: OpenBlocks): Promise<void> {
    const { session, staging } = this.#merging
    await staging.create()
    const loaded = session.facts.localInfile ? await loadData(session, staging, open) : null
    if (loaded === null) await staging.create()
    const { rows, faults } = loaded ?? (await new InsertLoader(session, staging).load(open))
    this.given = rows
    this.faults = faults
  }

  /** One pass over the staged rows: all have arrived, none has a flaw, no key came twice. */
  async #check(open: OpenBlocks): Promise<void> {
    const { target } = this.#merging
    const flaws = flawsOf(this.#merging, { areGiven: true })
    const first = await this.#count(flaws)
    if (first.rows !== this.given - this.faults.size) {
      throw new TerminalError(
        `${this.given - this.faults.size} rows were sent for ${target.table}, but ${first.rows} arrived, so none was written.`,
      )
    }
    if (first.flawed > 0) await this.#removeFlawed(flaws)
    const clean = first.flawed > 0 ? await this.#count([]) : first
    if (clean.keys < clean.keyed) await this.#removeDuplicates(open)
  }

  /** All rows, those with a whole key and their different keys as the table compares them, and those with a flaw. */
  async #count(flaws: readonly Flaw[]): Promise<{ rows: number; keyed: number; keys: number; flawed: number }> {
    const key = this.#merging.sql.key.map(({ name }) => quote(name))
    const keys = key.length === 0 ? '0, 0' : `COALESCE(SUM(${this.#isKeyed}), 0), COUNT(DISTINCT ${key.join(', ')})`
    const flawed = flaws.length === 0 ? '0' : `COALESCE(SUM(${anyOf(flaws)}), 0)`
    const { rows } = await this.#query(`SELECT COUNT(*), ${keys}, ${flawed} FROM ${this.#merging.staging.table}`)
    const [all = 0, keyed = 0, distinct = 0, bad = 0] = (rows[0] ?? []).map(Number)
    return { rows: all, keyed, keys: distinct, flawed: bad }
  }

  /** A NULL is equal to nothing. */
  get #isKeyed(): string {
    return this.#merging.sql.key.map(({ name }) => `${quote(name)} IS NOT NULL`).join(' AND ')
  }

  async #removeFlawed(flaws: readonly Flaw[]): Promise<void> {
    const { table, ordinal, rowOf } = this.#places()
    const which = flaws.map(({ condition }, index) => `WHEN ${condition} THEN ${index}`).join(' ')
    const { rows } = await this.#query(`SELECT ${ordinal}, CASE ${which} END FROM ${table} WHERE ${anyOf(flaws)}`)
    await this.#refuse(
      new Map(
        (rows as readonly [string, string][]).map(([place, index]) => {
          const { code, column, message } = flaws[Number(index)] as Flaw
          return [rowOf(place), { code, column, message }] as const
        }),
      ),
    )
  }

  /** Of rows with the same key, in the same spelling, the last stays; in several, none does. */
  async #removeDuplicates(open: OpenBlocks): Promise<void> {
    const { target, sql, staging } = this.#merging
    const { table, ordinal, rowOf } = this.#places()
    const key = sql.key.map(({ name }) => quote(name)).join(', ')
    const { rows } = await this.#query(
      `SELECT place, last FROM (SELECT ${ordinal} AS place, MAX(${ordinal}) OVER (PARTITION BY ${key}) AS last, COUNT(*) OVER (PARTITION BY ${key}) AS n
       FROM ${table} WHERE ${this.#isKeyed}) AS numbered WHERE n > 1 ORDER BY place DESC`,
    )
    const groups = new Map(rows.map(([place, last]) => [rowOf(place as string), rowOf(last as string)]))
    const others = await otherSpellings(open, target, groups)
    await this.#refuse(new Map([...others].map(([place, other]) => [place, spelledTwice(target, other)])))
    const gone: number[] = []
    for (const [place, last] of groups) {
      if (place === last || others.has(place)) continue
      gone.push(place)
      const earlier = this.#earlier.get(last)
      if (earlier === undefined) this.#earlier.set(last, [place])
      else earlier.push(place)
    }
    this.duplicate = gone.length
    await staging.remove(gone)
  }

  async #refuseExisting(): Promise<void> {
    const { target, sql } = this.#merging
    if (sql.key.length === 0) return
    const { rows } = await this.#query(sql.existing)
    const message = `The table has a row of this key (${target.key.join(', ')}) already.`
    await this.#refuseStored(rows, () => ({ code: '1062', column: target.key[0] ?? null, message }))
  }

  async #refuseStoredOtherwise(): Promise<void> {
    const { target, sql } = this.#merging
    const { rows } = await this.#query(sql.storedOtherwise)
    await this.#refuseStored(rows, (key) => storedOtherwise(target, key.join(', ')))
  }

  async #refuseStored(
    rows: readonly (readonly (string | null)[])[],
    reasonOf: (stored: readonly (string | null)[]) => Reason,
  ): Promise<void> {
    const { rowOf } = this.#places()
    await this.#refuse(new Map(rows.map(([place, ...stored]) => [rowOf(place as string), reasonOf(stored)])))
  }

  async #refuse(reasons: ReadonlyMap<number, Reason>): Promise<void> {
    for (const [place, reason] of reasons) this.faults.set(place, reason)
    await this.#merging.staging.remove(reasons.keys())
  }

  #places() {
    const { staging } = this.#merging
    return { table: staging.table, ordinal: staging.ordinal, rowOf: (place: string) => staging.rowOf(place) }
  }

  #query(sql: string) {
    const { session } = this.#merging
    return session.run(sql, { signal: session.signal })
  }
}

/** What staged values must not be; `areGiven`: as texts, which were looked at while they were loaded. */
export function flawsOf(
  { staging, target }: Pick<Merging, 'staging' | 'target'>,
  { areGiven }: { readonly areGiven: boolean },
): readonly Flaw[] {
  const isKey = (name: string) => target.mode !== 'insert' && target.key.includes(name)
  return staging.columns.flatMap(({ name, nullable, flaws, given }, index) => {
    const flagged = areGiven && given !== null ? [{ ...given, condition: `${staging.flag} = ${index}` }] : []
    const missing: Flaw = {
      condition: `${quote(name)} IS NULL`,
      code: '1048',
      column: name,
      message: `Column '${name}' cannot be null`,
    }
    return [...flagged, ...(nullable && !isKey(name) ? [] : [missing]), ...flaws]
  })
}

export function anyOf(flaws: readonly Flaw[]): string {
  // NULL alone is no flaw.
  return `COALESCE(${flaws.map(({ condition }) => `(${condition})`).join(' OR ')}, FALSE)`
}
