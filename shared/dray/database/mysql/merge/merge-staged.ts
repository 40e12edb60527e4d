import type { OpenBlocks } from '#dray/block/block.ts'
import { pickLines } from '#dray/block/block-lines.ts'
import { otherSpelling, sameKeys } from '#dray/database/merge/spellings.ts'
import type { StandIns } from '#dray/database/merge/stand-ins.ts'
import { TerminalError } from '#dray/errors.ts'
import { type MergeResult, type MergeTarget, OTHER_SPELLING, type RejectedRow } from '../../adapter.ts'
import { quote } from '../names.ts'
import { loadData } from './load-data.ts'
import { InsertLoader } from './load-inserts.ts'
import type { Merging } from './merging.ts'
import type { MergeSession } from './session.ts'
import type { MergeSql } from './sql.ts'
import type { Flaw } from './staged-columns.ts'
import { writeStaged } from './staged-write.ts'
import type { Faults, StagingTable } from './staging-table.ts'

/**
 * Merges rows of any kind by way of the staging table, where duplicates go and rows that the target would refuse or
 * change are taken out. Says of rows that the target refused which others could stand in for them.
 */
export async function mergeStaged(
  merging: Merging,
  open: OpenBlocks,
): Promise<{ readonly result: MergeResult; readonly standIns: StandIns }> {
  const merge = new StagedMerge(merging)
  const result = await merge.run(open)
  return { result, standIns: merge.standIns() }
}

class StagedMerge {
  readonly #merging: Merging
  readonly #session: MergeSession
  readonly #target: MergeTarget
  readonly #staging: StagingTable
  readonly #sql: MergeSql
  #rows = 0
  /** Rows that gave way to a later one of their key, the last first, by the later one. */
  #earlier: ReadonlyMap<number, readonly number[]> = new Map()
  /** Rows that are refused for what is in them; another one of their key may do. */
  readonly #replaceable: number[] = []
  #duplicate = 0
  #inserted = 0
  #updated = 0
  #unchanged = 0
  #faults: Faults = new Map()

  constructor(merging: Merging) {
    const { session, target, staging, sql } = merging
    this.#merging = merging
    this.#session = session
    this.#target = target
    this.#staging = staging
    this.#sql = sql
  }

  async run(open: OpenBlocks): Promise<MergeResult> {
    await this.#load(open)
    await this.#check(open)
    if (this.#target.mode === 'insert') await this.#refuseExisting()
    await this.#write()
    const rejected = await rejectedRows(open, this.#faults)
    const result = {
      inserted: this.#inserted,
      updated: this.#updated,
      unchanged: this.#unchanged,
      duplicate: this.#duplicate,
      rejected,
    }
    const counted = result.inserted + result.updated + result.unchanged + result.duplicate + rejected.length
    if (counted !== this.#rows) {
      throw new TerminalError(
        `${this.#rows} rows were sent for ${this.#target.table}, but ${counted} are accounted for, so none was written.`,
      )
    }
    return result
  }

  async #load(open: OpenBlocks): Promise<void> {
    await this.#staging.create()
    const loaded = this.#session.facts.localInfile ? await loadData(this.#session, this.#staging, open) : null
    if (loaded !== null) {
      this.#faults = loaded.faults
      this.#rows = loaded.rows
      return
    }
    await this.#staging.create()
    const loader = new InsertLoader(this.#session, this.#staging)
    const inserted = await loader.load(open)
    this.#faults = inserted.faults
    this.#rows = inserted.rows
  }

  /** One pass over the staged rows: all have arrived, none has a flaw, no key came twice. */
  async #check(open: OpenBlocks): Promise<void> {
    const flaws = this.#flaws()
    const key = this.#sql.key.map(({ name, searchable }) => searchable(quote(name)))
    const first = await this.#count(key, flaws)
    if (first.rows !== this.#rows - this.#faults.size) {
      throw new TerminalError(
        `${this.#rows - this.#faults.size} rows were sent for ${this.#target.table}, but ${first.rows} arrived, so none was written.`,
      )
    }
    if (first.flawed > 0) await this.#removeFlawed(flaws)
    const clean = first.flawed > 0 ? await this.#count(key, []) : first
    if (key.length > 0 && clean.keys < clean.rows) await this.#removeDuplicates(key, open)
  }

  #flaws(): readonly Flaw[] {
    const { columns, flag } = this.#staging
    const isKey = (name: string) => this.#target.key.includes(name)
    return columns.flatMap((column, index) => {
      const { name, nullable, given, flaws } = column
      const missing: Flaw = {
        condition: `${quote(name)} IS NULL`,
        code: '1048',
        column: name,
        message: `Column '${name}' cannot be null`,
      }
      const flagged = given === null ? [] : [{ ...given, condition: `${flag} = ${index}` }]
      return [...flagged, ...(nullable && !isKey(name) ? [] : [missing]), ...flaws]
    })
  }

  async #count(
    key: readonly string[],
    flaws: readonly Flaw[],
  ): Promise<{ rows: number; keys: number; flawed: number }> {
    const keys = key.length === 0 ? '0' : `COUNT(DISTINCT ${key.join(', ')})`
    const flawed = flaws.length === 0 ? '0' : `COALESCE(SUM(${anyOf(flaws)}), 0)`
    const { rows } = await this.#query(`SELECT COUNT(*), ${keys}, ${flawed} FROM ${this.#staging.table}`)
    const [all = 0, distinct = 0, bad = 0] = (rows[0] ?? []).map(Number)
    return { rows: all, keys: distinct, flawed: bad }
  }

  async #removeFlawed(flaws: readonly Flaw[]): Promise<void> {
    const { table, ordinal } = this.#staging
    const which = flaws.map(({ condition }, index) => `WHEN ${condition} THEN ${index}`).join(' ')
    const { rows } = await this.#query(`SELECT ${ordinal}, CASE ${which} END FROM ${table} WHERE ${anyOf(flaws)}`)
    const found: number[] = []
    for (const [place, index] of rows as readonly [string, string][]) {
      const { code, column, message } = flaws[Number(index)] as Flaw
      found.push(this.#staging.rowOf(place))
      this.#faults.set(this.#staging.rowOf(place), { code, column, message })
    }
    await this.#staging.remove(found)
  }

  /** Of rows with the same key the last stays, unless they spell it differently: then none does. */
  async #removeDuplicates(key: readonly string[], open: OpenBlocks): Promise<void> {
    const { table, ordinal } = this.#staging
    const { rows } = await this.#query(
      `SELECT place, last FROM (SELECT ${ordinal} AS place, MAX(${ordinal}) OVER w AS last, COUNT(*) OVER w AS same_key
         FROM ${table} WINDOW w AS (PARTITION BY ${key.join(', ')})) AS numbered WHERE same_key > 1`,
    )
    const groups = new Map<number, number[]>()
    for (const row of rows) {
      const [place, last] = row.map((one) => this.#staging.rowOf(one as string)) as [number, number]
      const group = groups.get(last)
      if (group === undefined) groups.set(last, [place])
      else group.push(place)
    }
    const { earlier, refused } = await sameKeys(this.#target, groups, open)
    this.#earlier = earlier
    this.#duplicate = await this.#staging.remove([...earlier.values()].flat())
    for (const [row, fault] of refused) this.#faults.set(row, fault)
    await this.#staging.remove(refused.keys())
  }

  standIns(): StandIns {
    return new Map(
      this.#replaceable.flatMap((row) => {
        const earlier = this.#earlier.get(row)
        return earlier === undefined ? [] : [[row, earlier] as const]
      }),
    )
  }

  async #refuseExisting(): Promise<void> {
    if (this.#sql.key.length === 0) return
    const { rows } = await this.#query(this.#sql.existing)
    const column = this.#target.key[0] ?? null
    const message = `The table has a row of this key (${this.#target.key.join(', ')}) already.`
    const places = rows.map(([place]) => this.#staging.rowOf(place as string))
    for (const [index, [, isExact, ...spelling]] of rows.entries()) {
      const fault =
        isExact === '1' ? { code: '1062', column, message } : otherSpelling(this.#target, 'the table', spelling)
      this.#faults.set(places[index] as number, fault)
    }
    await this.#staging.remove(places)
  }

  async #write(): Promise<void> {
    if (this.#target.mode !== 'insert') this.#unchanged = (await this.#query(this.#sql.removeUnchanged)).affected
    const { inserted, updated, refused } = await writeStaged(this.#merging, this.#rows)
    this.#inserted = inserted
    this.#updated = updated
    for (const [row, fault] of refused) {
      this.#faults.set(row, fault)
      if (fault.code !== OTHER_SPELLING) this.#replaceable.push(row)
    }
  }

  #query(sql: string) {
    return this.#session.run(sql, { signal: this.#session.signal })
  }
}

function anyOf(flaws: readonly Flaw[]): string {
  // NULL alone is no flaw.
  return `COALESCE(${flaws.map(({ condition }) => `(${condition})`).join(' OR ')}, FALSE)`
}

/** Reads the input again for the lines of the rows that were refused. */
async function rejectedRows(open: OpenBlocks, faults: Faults): Promise<RejectedRow[]> {
  const found = [...faults].sort(([one], [other]) => one - other)
  const rows = found.map(([row]) => row)
  const lines = rows.length === 0 ? [] : await pickLines(open(), rows)
  return found.map(([row, { code, column, message }], index) => ({
    row,
    line: lines[index] ?? '',
    code,
    column,
    message,
  }))
}
