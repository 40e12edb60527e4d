import { isUtf8 } from 'node:buffer'
import type { StatementSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CopyBlock, OpenBlocks } from '#dray/block/block.ts'
import { blockLines, pickLines } from '#dray/block/block-lines.ts'
import { decodeLine } from '#dray/block/copy-text.ts'
import type { StandIns } from '#dray/database/merge/stand-ins.ts'
import type { MergeResult, MergeTarget, RejectedRow } from '../../adapter.ts'
import { type Affinity, affinityOf, storable } from '../affinity.ts'
import { columnOf, isRowFault } from '../translate.ts'
import type { Merging } from './merging.ts'
import type { MergeSession } from './session.ts'
import { EVERY_ROW, MergeSql } from './sql.ts'

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
const EVERY_INPUT = 'dray_input'

/**
 * Merges rows by way of the temporary table. Says of rows that the table refused which others could stand in for them.
 */
export async function mergeStaged(
  merging: Merging,
  open: OpenBlocks,
): Promise<{ readonly result: MergeResult; readonly standIns: StandIns }> {
  const { session, key, sql } = merging
  session.database.exec('SAVEPOINT dray_merge')
  try {
    session.database.exec(sql.createTable())
    const merge = new StagedMerge(merging)
    await merge.fill(open())
    if (key?.collations.some((collation) => collation !== 'BINARY')) merge.refuseEqualKeys()
    merge.refusePresent()
    const result = await merge.write(open)
    const standIns = result.duplicate > 0 && key !== null ? await merge.standIns(open) : new Map()
    session.database.exec(`${sql.dropTable()}; RELEASE dray_merge`)
    return { result, standIns }
  } catch (error) {
    if (session.database.isTransaction) session.database.exec('ROLLBACK TO dray_merge; RELEASE dray_merge')
    throw error
  }
}

/** One merge, from the filled temporary table to its counts. */
class StagedMerge {
  readonly #merging: Merging
  readonly #session: MergeSession
  readonly #target: MergeTarget
  readonly #sql: MergeSql
  readonly #types: readonly ColumnType[]
  readonly #required: ReadonlySet<number>
  readonly #rejected: RejectedRow[] = []
  readonly #refused: { readonly row: number; readonly why: Reason }[] = []
  /** Rows that were refused for what is in them; another one of their key may do. */
  readonly #replaceable: number[] = []
  #given = 0

  constructor(merging: Merging) {
    const { session, target, live, sql } = merging
    this.#merging = merging
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

  /** Keys that the table's collation takes for one, though they differ: none of them is merged. */
  refuseEqualKeys(): void {
    const message = `the key (${this.#target.key.join(', ')}) equals another one under the collation of the table, though it differs`
    this.#refuse(this.#sql.equalKeys(), { code: UNIQUE, column: this.#keyColumn, message })
  }

  /** Rows to insert whose key the table has already. */
  refusePresent(): void {
    const sql = this.#sql.present()
    const message = `the table has a row of this key (${this.#target.key.join(', ')}) already`
    if (sql !== null) this.#refuse(sql, { code: UNIQUE, column: this.#keyColumn, message })
  }

  get #keyColumn(): string | null {
    return this.#target.key.length === 1 ? (this.#target.key[0] as string) : null
  }

  #refuse(sql: string, why: Reason): void {
    const rows = this.#session.rows(sql).map(([row]) => Number(row))
    const remove = this.#session.database.prepare(this.#sql.remove())
    for (const row of rows) {
      remove.run(row)
      this.#refused.push({ row, why })
    }
  }

  async write(open: OpenBlocks): Promise<MergeResult> {
    const early = this.#refused.length
    const distinct = this.#count(this.#sql.count())
    const duplicate = this.#given - this.#rejected.length - early - distinct
    const { inserted, updated } = this.#writeAtOnce(distinct) ?? this.#writeEach()
    const unchanged = distinct - (this.#refused.length - early) - inserted - updated
    const refused = this.#refused.sort((one, other) => one.row - other.row)
    const lines = await pickLines(
      open(),
      refused.map(({ row }) => row),
    )
    const late = refused.map(({ row, why }, index) => ({ ...why, row, line: lines[index] as string }))
    const rejected = [...this.#rejected, ...late].sort((one, other) => one.row - other.row)
    return { inserted, updated, unchanged, duplicate, rejected }
  }

  /** The earlier rows of the refused ones' keys, which the temporary table has lost: the input is read once more. */
  async standIns(open: OpenBlocks): Promise<StandIns> {
    if (this.#replaceable.length === 0) return new Map()
    const { database } = this.#session
    const all = new MergeSql(this.#target, this.#merging.live, null, EVERY_INPUT)
    database.exec(all.createTable())
    await new StagedMerge({ ...this.#merging, sql: all }).fill(open())
    const pairs = this.#session.rows(this.#sql.earlier(EVERY_INPUT), [JSON.stringify(this.#replaceable)])
    database.exec(all.dropTable())
    const earlier = Map.groupBy(pairs, ([winner]) => Number(winner))
    return new Map([...earlier].map(([winner, rows]) => [winner, rows.map(([, row]) => Number(row))]))
  }

  #writeAtOnce(distinct: number): { inserted: number; updated: number } | null {
    const { database } = this.#session
    const inserted = distinct - this.#count(this.#sql.matched())
    database.exec('SAVEPOINT dray_write')
    try {
      const changes = Number(database.prepare(this.#sql.merge(EVERY_ROW)).run().changes)
      database.exec('RELEASE dray_write')
      return { inserted, updated: changes - inserted }
    } catch (error) {
      this.#requireTransaction(error)
      database.exec('ROLLBACK TO dray_write; RELEASE dray_write')
      return null
    }
  }

  #writeEach(): { inserted: number; updated: number } {
    const counts = { inserted: 0, updated: 0 }
    const { database } = this.#session
    const merge = database.prepare(this.#sql.merge('s.dray_ordinal = ?'))
    const matched = database.prepare(this.#sql.matched('s.dray_ordinal = ?'))
    for (const [row] of this.#session.rows(this.#sql.ordinals())) {
      const ordinal = Number(row)
      try {
        const isNew = countOf(matched, ordinal) === 0
        const changes = Number(merge.run(ordinal).changes)
        counts[isNew ? 'inserted' : 'updated'] += changes
      } catch (error) {
        this.#requireTransaction(error)
        const { message, errcode } = error as Error & { errcode: number }
        this.#replaceable.push(ordinal)
        this.#refused.push({
          row: ordinal,
          why: { code: String(errcode), column: columnOf(error as Error), message },
        })
      }
    }
    return counts
  }

  /** A row's fault leaves the transaction open; anything else is thrown. */
  #requireTransaction(error: unknown): void {
    if (!isRowFault(error) || !this.#session.database.isTransaction) throw error
  }

  #count(sql: string): number {
    return Number(this.#session.rows(sql)[0]?.[0])
  }
}

function countOf(statement: StatementSync, ordinal: number): number {
  return Number((statement.get(ordinal) as unknown as bigint[])[0])
}
