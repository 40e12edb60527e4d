import type { OpenBlocks } from '#dray/block/block.ts'
import { pickLines } from '#dray/block/block-lines.ts'
import { bisect } from '#dray/database/merge/bisect.ts'
import type { StandIns } from '#dray/database/merge/stand-ins.ts'
import { TerminalError } from '#dray/errors.ts'
import type { MergeResult, MergeTarget, RejectedRow } from '../../adapter.ts'
import { quote } from '../names.ts'
import { withoutRow } from '../translate.ts'
import { loadData } from './load-data.ts'
import { InsertLoader, refusalOf } from './load-inserts.ts'
import type { Merging } from './merging.ts'
import type { MergeSession } from './session.ts'
import type { MergeSql } from './sql.ts'
import type { Flaw, StagedColumn } from './staged-columns.ts'
import type { Fault, Faults, StagingTable } from './staging-table.ts'

const SAVEPOINT = '`dray_merge`'

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
  readonly #session: MergeSession
  readonly #target: MergeTarget
  readonly #staging: StagingTable
  readonly #sql: MergeSql
  #rows = 0
  /** Rows that gave way to a later one of their key, the last first, by the later one. */
  readonly #earlier = new Map<number, number[]>()
  /** Rows that are refused for what is in them; another one of their key may do. */
  readonly #replaceable: number[] = []
  #duplicate = 0
  #inserted = 0
  #updated = 0
  #faults: Faults = new Map()

  constructor({ session, target, staging, sql }: Merging) {
    this.#session = session
    this.#target = target
    this.#staging = staging
    this.#sql = sql
  }

  async run(open: OpenBlocks): Promise<MergeResult> {
    await this.#load(open)
    await this.#check()
    if (this.#target.mode === 'insert') await this.#refuseExisting()
    await this.#write()
    if (this.#target.mode !== 'insert' && this.#sql.mayMeetOthers) await this.#refuseMissing()
    const rejected = await rejectedRows(open, this.#faults)
    const unchanged = this.#rows - this.#inserted - this.#updated - this.#duplicate - rejected.length
    return { inserted: this.#inserted, updated: this.#updated, unchanged, duplicate: this.#duplicate, rejected }
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
  async #check(): Promise<void> {
    const flaws = this.#flaws()
    const key = this.#sql.key.map((column) => exactKey(column))
    const first = await this.#count(key, flaws)
    if (first.rows !== this.#rows - this.#faults.size) {
      throw new TerminalError(
        `${this.#rows - this.#faults.size} rows were sent for ${this.#target.table}, but ${first.rows} arrived, so none was written.`,
      )
    }
    if (first.flawed > 0) await this.#removeFlawed(flaws)
    const clean = first.flawed > 0 ? await this.#count(key, []) : first
    if (key.length > 0 && clean.keys < clean.rows) await this.#removeDuplicates(key)
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

  /** Of rows with the same key, byte by byte, the last stays. */
  async #removeDuplicates(key: readonly string[]): Promise<void> {
    const { table, ordinal } = this.#staging
    const { rows } = await this.#query(
      `SELECT place, last FROM (SELECT ${ordinal} AS place, MAX(${ordinal}) OVER (PARTITION BY ${key.join(', ')}) AS last FROM ${table}) AS numbered WHERE place < last ORDER BY place DESC`,
    )
    this.#duplicate = rows.length
    const places = rows.map((row) => row.map((place) => this.#staging.rowOf(place as string)) as [number, number])
    for (const [place, last] of places) {
      const earlier = this.#earlier.get(last)
      if (earlier === undefined) this.#earlier.set(last, [place])
      else earlier.push(place)
    }
    await this.#staging.remove(places.map(([place]) => place))
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
    await this.#refuse(
      rows.map(([place]) => place as string),
      () => ({
        code: '1062',
        column,
        message: `The table has a row of this key (${this.#target.key.join(', ')}) already.`,
      }),
    )
  }

  async #refuse(ordinals: readonly string[], faultOf: (index: number) => Fault): Promise<void> {
    const places = ordinals.map((ordinal) => this.#staging.rowOf(ordinal))
    for (const [index, place] of places.entries()) this.#faults.set(place, faultOf(index))
    await this.#staging.remove(places)
  }

  async #write(): Promise<void> {
    const refused: number[] = []
    await bisect<Fault>(
      this.#rows,
      async (from, to) => {
        const error = await this.#writeRange(from, to)
        return error === null ? null : { error, at: null }
      },
      (row, fault) => {
        refused.push(row)
        this.#replaceable.push(row)
        this.#faults.set(row, { ...fault, message: withoutRow(fault.message) })
      },
    )
    await this.#staging.remove(refused)
  }

  async #writeRange(from: number, to: number): Promise<Fault | null> {
    const isInsert = this.#target.mode === 'insert'
    const sql = isInsert ? this.#sql.insert([from, to]) : this.#sql.upsert([from, to])
    await this.#session.run(`SAVEPOINT ${SAVEPOINT}`)
    const fault = await refusalOf(this.#session, sql, ({ affected, duplicates }) => {
      // A new row counts once in `affected`, a changed one twice.
      const updated = isInsert ? 0 : duplicates
      this.#updated += updated
      this.#inserted += affected - 2 * updated
    })
    if (fault !== null) await this.#session.run(`ROLLBACK TO SAVEPOINT ${SAVEPOINT}`)
    return fault
  }

  async #refuseMissing(): Promise<void> {
    const { rows } = await this.#query(this.#sql.missing)
    const key = this.#target.key.join(', ')
    const collations = this.#sql.key.map(({ collation }) => collation).filter((name) => name !== null)
    const equal = `Another row has a key (${key}) that is equal under the collation ${collations.join(', ')}, but not the same.`
    const other = `Another row has the same value in a unique key other than (${key}).`
    for (const [place, isSameKey] of rows) {
      if (isSameKey !== '1') this.#replaceable.push(this.#staging.rowOf(place as string))
    }
    await this.#refuse(
      rows.map(([place]) => place as string),
      (index) => ({
        code: '1062',
        column: rows[index]?.[1] === '1' ? (this.#target.key[0] ?? null) : null,
        message: rows[index]?.[1] === '1' ? equal : other,
      }),
    )
  }

  #query(sql: string) {
    return this.#session.run(sql, { signal: this.#session.signal })
  }
}

function exactKey({ name, isText }: StagedColumn): string {
  return isText ? `CAST(${quote(name)} AS BINARY)` : quote(name)
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
