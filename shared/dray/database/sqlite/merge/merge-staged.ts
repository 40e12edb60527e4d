import { isUtf8 } from 'node:buffer'
import type { StatementSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CopyBlock, OpenBlocks } from '#dray/block/block.ts'
import { blockLines, pickLines } from '#dray/block/block-lines.ts'
import { decodeLine } from '#dray/block/copy-text.ts'
import { otherSpelling, sameKeys } from '#dray/database/merge/spellings.ts'
import type { StandIns } from '#dray/database/merge/stand-ins.ts'
import { TerminalError } from '#dray/errors.ts'
import { DROPPED, type MergeResult, type MergeTarget, type RejectedRow } from '../../adapter.ts'
import { type Affinity, affinityOf, storable } from '../affinity.ts'
import { columnOf, isRowFault } from '../translate.ts'
import type { Merging } from './merging.ts'
import type { MergeSession } from './session.ts'
import { EVERY_ROW, type MergeSql } from './sql.ts'

interface ColumnType {
  readonly declared: string
  readonly affinity: Affinity
}

type Bindable = string | number | Uint8Array | null
type Reason = Pick<RejectedRow, 'code' | 'column' | 'message'>

/** SQLITE_MISMATCH, SQLITE_CONSTRAINT_NOTNULL, SQLITE_CONSTRAINT_UNIQUE */
const MISMATCH = '20'
const NOT_NULL = '1299'
const UNIQUE = '2067'
const BATCH_VALUES = 600

/**
 * Merges rows by way of the temporary table. Says of rows that the table refused which others could stand in for them.
 */
export async function mergeStaged(
  merging: Merging,
  open: OpenBlocks,
): Promise<{ readonly result: MergeResult; readonly standIns: StandIns }> {
  const { session, sql } = merging
  session.database.exec('SAVEPOINT dray_merge')
  try {
    session.database.exec(sql.createTable())
    const merge = new StagedMerge(merging)
    await merge.fill(open())
    await merge.removeDuplicates(open)
    merge.refuseSpelledOtherwise()
    merge.refusePresent()
    const result = await merge.write(open)
    session.database.exec(`${sql.dropTable()}; RELEASE dray_merge`)
    return { result, standIns: merge.standIns() }
  } catch (error) {
    if (session.database.isTransaction) session.database.exec('ROLLBACK TO dray_merge; RELEASE dray_merge')
    throw error
  }
}

/** One merge, from the filled temporary table to its counts. */
class StagedMerge {
  readonly #session: MergeSession
  readonly #target: MergeTarget
  readonly #sql: MergeSql
  readonly #types: readonly ColumnType[]
  readonly #required: ReadonlySet<number>
  readonly #rejected: RejectedRow[] = []
  readonly #refused: { readonly row: number; readonly why: Reason }[] = []
  /** Rows that were refused for what is in them; another one of their key may do. */
  readonly #replaceable: number[] = []
  #earlier: ReadonlyMap<number, readonly number[]> = new Map()
  #removal: StatementSync | null = null
  #given = 0
  #duplicate = 0

  constructor(merging: Merging) {
    const { session, target, live, sql } = merging
    this.#session = session
    this.#target = target
    this.#sql = sql
    this.#types = target.columns.map((column) => {
      const declared = live.columns.find(({ name }) => name === column)?.type ?? ''
      return { declared, affinity: affinityOf(declared) }
    })
    const required = target.mode === 'insert' ? [] : target.key.map((column) => target.columns.indexOf(column))
    this.#required = new Set(required)
  }

  async fill(blocks: AsyncIterable<CopyBlock> | Iterable<CopyBlock>): Promise<void> {
    const width = this.#types.length + 1
    const batch = Math.max(1, Math.floor(BATCH_VALUES / width))
    const several = this.#session.database.prepare(this.#sql.fill(batch))
    const one = this.#session.database.prepare(this.#sql.fill(1))
    for await (const block of blocks) {
      this.#session.check()
      const bound = this.#bindBlock(block)
      const whole = bound.length - (bound.length % (batch * width))
      for (let at = 0; at < whole; at += batch * width) several.run(...bound.slice(at, at + batch * width))
      for (let at = whole; at < bound.length; at += width) one.run(...bound.slice(at, at + width))
      await nextTurn()
    }
  }

  /** The values of the rows that can be stored, each row behind its number. */
  #bindBlock(block: CopyBlock): Bindable[] {
    const lines = blockLines(block)
    const valid = isUtf8(block.bytes)
    const text = valid ? block.bytes.toString('utf8').split('\n') : null
    const bound: Bindable[] = []
    for (let index = 0; index < lines.count; index++) {
      const line = text?.[index] ?? lines.text(index)
      const from = bound.length
      bound.push(this.#given)
      const why =
        valid || isUtf8(lines.bytes(index, index + 1))
          ? this.#bindLine(line, bound)
          : { code: MISMATCH, column: null, message: 'the row is not valid UTF-8' }
      if (why !== null) {
        bound.length = from
        this.#rejected.push({ ...why, row: this.#given, line })
      }
      this.#given += 1
    }
    return bound
  }

  #bindLine(line: string, bound: Bindable[]): Reason | null {
    const fields = decodeLine(line)
    const { columns } = this.#target
    if (fields.length !== columns.length) {
      return {
        code: MISMATCH,
        column: null,
        message: `the row has ${fields.length} fields for ${columns.length} columns`,
      }
    }
    for (let index = 0; index < fields.length; index++) {
      const field = fields[index] as string | null
      const column = columns[index] as string
      if (field === null) {
        if (this.#required.has(index)) {
          return { code: NOT_NULL, column, message: `the key column "${column}" is NULL, so the row cannot be merged` }
        }
        bound.push(null)
        continue
      }
      const { affinity, declared } = this.#types[index] as ColumnType
      if (affinity === 'TEXT') {
        bound.push(field)
        continue
      }
      const { value, refusal } = storable(field, affinity, declared)
      if (refusal !== null) return { code: MISMATCH, column, message: `the value of "${column}" ${refusal}` }
      bound.push(value)
    }
    return null
  }

  /** Of rows with the same key the last stays, unless they spell it differently: then none does. */
  async removeDuplicates(open: OpenBlocks): Promise<void> {
    const sql = this.#sql.sameKeys()
    const pairs = sql === null ? [] : this.#session.rows(sql)
    if (pairs.length === 0) return
    const groups = new Map<number, number[]>()
    for (const [place, last] of pairs) groups.set(Number(last), [...(groups.get(Number(last)) ?? []), Number(place)])
    const { earlier, refused } = await sameKeys(this.#target, groups, open)
    this.#earlier = earlier
    for (const row of [...earlier.values()].flat()) this.#duplicate += this.#remove(row)
    for (const [row, why] of refused) this.#refuse(row, why)
  }

  /** Rows whose key the table has in another spelling, which they do not overwrite. */
  refuseSpelledOtherwise(): void {
    const sql = this.#target.respell && this.#target.mode !== 'insert' ? null : this.#sql.spelledOtherwise()
    if (sql === null) return
    for (const [row, ...spelling] of this.#session.rows(sql)) {
      this.#refuse(Number(row), otherSpelling(this.#target, 'the table', spelling))
    }
  }

  /** Rows to insert whose key the table has already. */
  refusePresent(): void {
    const sql = this.#sql.present()
    const message = `the table has a row of this key (${this.#target.key.join(', ')}) already`
    if (sql === null) return
    for (const [row] of this.#session.rows(sql)) {
      this.#refuse(Number(row), { code: UNIQUE, column: this.#keyColumn, message })
    }
  }

  get #keyColumn(): string | null {
    return this.#target.key.length === 1 ? (this.#target.key[0] as string) : null
  }

  #refuse(row: number, why: Reason): void {
    this.#remove(row)
    this.#refused.push({ row, why })
  }

  #remove(row: number): number {
    this.#removal ??= this.#session.database.prepare(this.#sql.remove())
    return Number(this.#removal.run(row).changes)
  }

  async write(open: OpenBlocks): Promise<MergeResult> {
    const removal = this.#sql.removeUnchanged()
    const unchanged = removal === null ? 0 : Number(this.#session.database.prepare(removal).run().changes)
    const { inserted, updated } = this.#writeAtOnce() ?? this.#writeEach()
    const refused = this.#refused.sort((one, other) => one.row - other.row)
    const lines = await pickLines(
      open(),
      refused.map(({ row }) => row),
    )
    const late = refused.map(({ row, why }, index) => ({ ...why, row, line: lines[index] as string }))
    const rejected = [...this.#rejected, ...late].sort((one, other) => one.row - other.row)
    const counted = inserted + updated + unchanged + this.#duplicate + rejected.length
    if (counted !== this.#given) {
      throw new TerminalError(
        `${this.#given} rows were given for ${this.#target.table}, but ${counted} are accounted for, so none was written`,
      )
    }
    return { inserted, updated, unchanged, duplicate: this.#duplicate, rejected }
  }

  standIns(): StandIns {
    const found = this.#replaceable.map((row) => [row, this.#earlier.get(row) ?? []] as const)
    return new Map(found.filter(([, earlier]) => earlier.length > 0))
  }

  #writeAtOnce(): { inserted: number; updated: number } | null {
    const { database } = this.#session
    const [rows = 0, matched = 0] = (this.#session.rows(this.#sql.count())[0] ?? []).map(Number)
    database.exec('SAVEPOINT dray_write')
    try {
      const changes = Number(database.prepare(this.#sql.merge(EVERY_ROW)).run().changes)
      const lost = this.#sql.lost()
      if (changes === rows && (lost === null || this.#session.rows(lost).length === 0)) {
        database.exec('RELEASE dray_write')
        return { inserted: rows - matched, updated: matched }
      }
    } catch (error) {
      this.#requireTransaction(error)
    }
    database.exec('ROLLBACK TO dray_write; RELEASE dray_write')
    return null
  }

  #writeEach(): { inserted: number; updated: number } {
    const counts = { inserted: 0, updated: 0 }
    const { database } = this.#session
    const merge = database.prepare(this.#sql.merge('s.dray_ordinal = ?'))
    const matched = database.prepare(this.#sql.matched('s.dray_ordinal = ?'))
    const lost = this.#sql.lost('s.dray_ordinal = ?')
    const look = lost === null ? null : database.prepare(lost)
    for (const [row] of this.#session.rows(this.#sql.ordinals())) {
      const ordinal = Number(row)
      database.exec('SAVEPOINT dray_write')
      const why = this.#tried(() => {
        const isNew = countOf(matched, ordinal) === 0
        if (Number(merge.run(ordinal).changes) !== 1 || look?.get(ordinal) !== undefined) return this.#dropped
        counts[isNew ? 'inserted' : 'updated'] += 1
        return null
      })
      database.exec(why === null ? 'RELEASE dray_write' : 'ROLLBACK TO dray_write; RELEASE dray_write')
      if (why === null) continue
      this.#replaceable.push(ordinal)
      this.#refused.push({ row: ordinal, why })
    }
    return counts
  }

  #tried(work: () => Reason | null): Reason | null {
    try {
      return work()
    } catch (error) {
      this.#requireTransaction(error)
      const { message, errcode } = error as Error & { errcode: number }
      return { code: String(errcode), column: columnOf(error as Error), message }
    }
  }

  get #dropped(): Reason {
    const { table } = this.#target
    const message = `the database took the row and did not write it to ${table}; a trigger with RAISE(IGNORE) or INSTEAD OF, or one that deletes the row, is the likely cause; look at the triggers of ${table} in sqlite_schema`
    return { code: DROPPED, column: null, message }
  }

  /** A row's fault leaves the transaction open; anything else is thrown. */
  #requireTransaction(error: unknown): void {
    if (!isRowFault(error) || !this.#session.database.isTransaction) throw error
  }
}

function countOf(statement: StatementSync, ordinal: number): number {
  return Number((statement.get(ordinal) as unknown as bigint[])[0])
}
