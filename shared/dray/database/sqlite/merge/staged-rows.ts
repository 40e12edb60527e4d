import { isUtf8 } from 'node:buffer'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import { blockLines, pickLines } from '#dray/block/block-lines.ts'
import { decodeLine } from '#dray/block/copy-text.ts'
import { otherSpellings, type Reason, spelledTwice, storedOtherwise } from '#dray/database/merge/spellings.ts'
import type { StandIns } from '#dray/database/merge/stand-ins.ts'
import type { RejectedRow } from '../../adapter.ts'
import { type Affinity, affinityOf, type Storable, storable, storableText } from '../affinity.ts'
import type { Merging } from './merging.ts'
import { MergeSql } from './sql.ts'

interface ColumnType {
  readonly declared: string
  readonly affinity: Affinity
  readonly bind: (text: string, affinity: Affinity, declared: string) => Storable
}

type Bindable = string | number | Uint8Array | null

/** SQLITE_MISMATCH, SQLITE_CONSTRAINT_NOTNULL, SQLITE_CONSTRAINT_UNIQUE */
const MISMATCH = '20'
const NOT_NULL = '1299'
const UNIQUE = '2067'
const BATCH_VALUES = 600
const EVERY_INPUT = 'dray_input'

/**
 * The rows in the temporary table, but for those that are refused before they meet the target: since a column could not
 * hold them, or since their key comes in another spelling, here or there.
 */
export class StagedRows {
  /** Rows that gave way to a later one of their key. */
  duplicate = 0
  readonly #merging: Merging
  readonly #types: readonly ColumnType[]
  readonly #required: ReadonlySet<number>
  readonly #rejected: RejectedRow[] = []
  readonly #refused = new Map<number, Reason>()
  /** They, the last first, by the later one. */
  readonly #earlier = new Map<number, number[]>()
  #given = 0

  constructor(merging: Merging) {
    const { target, live } = merging
    this.#merging = merging
    this.#types = target.columns.map((column) => {
      const declared = live.columns.find(({ name }) => name === column)?.type ?? ''
      const bind = target.texts?.includes(column) ? storableText : storable
      return { declared, affinity: affinityOf(declared), bind }
    })
    const required = target.mode === 'insert' ? [] : target.key.map((column) => target.columns.indexOf(column))
    this.#required = new Set(required)
  }

  async stage(open: OpenBlocks): Promise<void> {
    const { session, target, key, sql } = this.#merging
    session.database.exec(sql.createTable())
    await this.fill(open())
    const staged = Number(session.rows(sql.count())[0]?.[0])
    if (key !== null && staged < this.#given - this.#rejected.length) await this.#removeOtherSpellings(open)
    const present = sql.present()
    const message = `the table has a row of this key (${target.key.join(', ')}) already`
    const column = target.key.length === 1 ? (target.key[0] as string) : null
    if (present !== null) this.#refuseFound(present, () => ({ code: UNIQUE, column, message }))
    const stored = sql.storedOtherwise()
    if (stored !== null) this.#refuseFound(stored, (texts) => storedOtherwise(target, texts.join(', ')))
  }

  /** The places of the rows that are left, ascending. */
  get places(): number[] {
    const { session, sql } = this.#merging
    return session.rows(sql.ordinals()).map(([place]) => Number(place))
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

  /** All rows rejected so far and these, with their lines, in the order of the input. */
  async rejected(late: ReadonlyMap<number, Reason>, open: OpenBlocks): Promise<RejectedRow[]> {
    const refused = [...this.#refused, ...late].sort(([one], [other]) => one - other)
    const places = refused.map(([row]) => row)
    const lines = places.length === 0 ? [] : await pickLines(open(), places)
    const named = refused.map(([row, why], index) => ({ ...why, row, line: lines[index] as string }))
    return [...this.#rejected, ...named].sort((one, other) => one.row - other.row)
  }

  async fill(blocks: AsyncIterable<CopyBlock> | Iterable<CopyBlock>): Promise<void> {
    const { session, sql } = this.#merging
    const width = this.#types.length + 1
    const batch = Math.max(1, Math.floor(BATCH_VALUES / width))
    const several = session.database.prepare(sql.fill(batch))
    const one = session.database.prepare(sql.fill(1))
    for await (const block of blocks) {
      session.check()
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
    const { columns } = this.#merging.target
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
      const { affinity, declared, bind } = this.#types[index] as ColumnType
      if (affinity === 'TEXT') {
        bound.push(field)
        continue
      }
      const { value, refusal } = bind(field, affinity, declared)
      if (refusal !== null) return { code: MISMATCH, column, message: `the value of "${column}" ${refusal}` }
      bound.push(value)
    }
    return null
  }

  /**
   * Keys came more than once: the temporary table has lost the earlier rows, so the input is read once more. Of those
   * in the same spelling the last stays; in several, none does.
   */
  async #removeOtherSpellings(open: OpenBlocks): Promise<void> {
    const { session, target, live, sql } = this.#merging
    const all = new MergeSql(target, live, null, EVERY_INPUT)
    session.database.exec(all.createTable())
    await new StagedRows({ ...this.#merging, sql: all }).fill(open())
    const pairs = session.rows(sql.earlier(EVERY_INPUT)).map(([last, place]) => [Number(last), Number(place)] as const)
    session.database.exec(all.dropTable())
    const groups = new Map<number, number>(
      pairs.flatMap(([last, place]) => [[last, last] as const, [place, last] as const]),
    )
    const others = await otherSpellings(open, target, groups)
    this.#refuse(new Map([...others].map(([place, other]) => [place, spelledTwice(target, other)])))
    for (const [last, place] of pairs) {
      if (others.has(place)) continue
      this.duplicate += 1
      const earlier = this.#earlier.get(last)
      if (earlier === undefined) this.#earlier.set(last, [place])
      else earlier.push(place)
    }
  }

  #refuseFound(query: string, reasonOf: (texts: readonly Text[]) => Reason): void {
    const found = this.#merging.session.rows(query)
    this.#refuse(new Map(found.map(([place, ...texts]) => [Number(place), reasonOf(texts)])))
  }

  #refuse(reasons: ReadonlyMap<number, Reason>): void {
    const { session, sql } = this.#merging
    const remove = session.database.prepare(sql.remove())
    for (const [place, reason] of reasons) {
      remove.run(place)
      this.#refused.set(place, reason)
    }
  }
}
