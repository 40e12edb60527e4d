import { randomBytes } from 'node:crypto'
import type { Text } from '#dray/block/block.ts'
import type { TableName } from '../../table-name.ts'
import { quote } from '../names.ts'
import { columnIn, withoutRow } from '../translate.ts'
import type { MergeSession } from './session.ts'
import type { StagedColumn } from './staged-columns.ts'

/** Why a row was refused. */
export interface Fault {
  readonly code: string
  readonly column: string | null
  readonly message: string
}

/** Rows that were refused, by their places in the input. */
export type Faults = Map<number, Fault>

/** A temporary table with the rows of the input in their order, each under the ordinal that tells its place. */
export class StagingTable {
  readonly columns: readonly StagedColumn[]
  /** Quoted. */
  readonly table: string
  /** Quoted; no column of the target has this name. */
  readonly ordinal: string
  readonly flag: string
  readonly #session: MergeSession
  readonly #target: TableName

  constructor(session: MergeSession, target: TableName, columns: readonly StagedColumn[]) {
    this.#session = session
    this.#target = target
    this.columns = columns
    const schema = target.schema === null ? '' : `${quote(target.schema)}.`
    this.table = `${schema}${quote(`dray_staged_${randomBytes(6).toString('hex')}`)}`
    const free = (name: string): string => {
      const isTaken = columns.some((column) => column.name.toLowerCase() === name)
      return isTaken ? free(`${name}_`) : quote(name)
    }
    this.ordinal = free('dray_ordinal')
    this.flag = free('dray_flag')
  }

  /** Columns whose text is looked at while it is loaded. */
  get checked(): readonly StagedColumn[] {
    return this.columns.filter(({ given }) => given !== null)
  }

  /** Columns of which no SQL can tell whether the target holds what is given. */
  get looked(): readonly StagedColumn[] {
    return this.columns.filter(({ lossOf }) => lossOf !== null)
  }

  /** Another table of the same columns. */
  sibling(): StagingTable {
    return new StagingTable(this.#session, this.#target, this.columns)
  }

  /** Why the target would not hold what is given in a row. */
  lossIn(values: readonly Text[]): Fault | null {
    for (const { name, lossOf } of this.looked) {
      const text = values[this.columns.findIndex((column) => column.name === name)] ?? null
      const loss = text === null ? null : (lossOf?.(text) ?? null)
      if (loss !== null) return { ...loss, column: name }
    }
    return null
  }

  /** Makes the table anew. TEMPORARY keeps both statements from committing the transaction. */
  async create(): Promise<void> {
    const flag = this.checked.length > 0 ? [`${this.flag} int NULL`] : []
    await this.#create([this.#key, ...flag])
  }

  /**
   * The same for rows that are not asked for their places: an index more is a third of the time that loading takes.
   * There are servers that take no table without a primary key.
   */
  async createWithoutOrdinals(): Promise<void> {
    await this.#create(this.#session.facts.requiresPrimaryKey ? [this.#key] : [])
  }

  get #key(): string {
    return `${this.ordinal} bigint NOT NULL AUTO_INCREMENT PRIMARY KEY`
  }

  async #create(more: readonly string[]): Promise<void> {
    await this.drop()
    const columns = this.columns.map(({ name, definition }) => `${quote(name)} ${definition} NULL`)
    const engine = this.#session.facts.isMariaDB ? 'Aria TRANSACTIONAL=0' : 'InnoDB'
    await this.#session.run(
      `CREATE TEMPORARY TABLE ${this.table} (${[...more, ...columns].join(', ')}) ENGINE=${engine}`,
    )
  }

  async drop(): Promise<void> {
    await this.#session.run(`DROP TEMPORARY TABLE IF EXISTS ${this.table}`)
  }

  /** The ordinal that LOAD DATA gives to a row: a cluster counts in steps. */
  ordinalOf(row: number): number {
    const { offset, increment } = this.#session.facts.ordinals
    return offset + row * increment
  }

  rowOf(ordinal: string): number {
    const { offset, increment } = this.#session.facts.ordinals
    return (Number(ordinal) - offset) / increment
  }

  /** Rows from one place up to another, as a condition. */
  range(from: number, to: number, alias = ''): string {
    return `${alias}${this.ordinal} BETWEEN ${this.ordinalOf(from)} AND ${this.ordinalOf(to - 1)}`
  }

  /** What the server said of a row, while it was staged. */
  faultOf(code: string, message: string): Fault {
    const name = columnIn(message)
    const column = this.columns.find((candidate) => candidate.name === name)
    // A text that is cut is an error of INSERT, and a warning of LOAD DATA or where only spaces are cut.
    if (code === '1265' && (column?.isText || column?.isBinary)) {
      return { code: '1406', column: name, message: `Data too long for column '${name}'` }
    }
    return { code, column: name, message: withoutRow(message) }
  }

  async remove(rows: Iterable<number>): Promise<void> {
    const ordinals = [...rows].map((row) => this.ordinalOf(row))
    for (let start = 0; start < ordinals.length; start += 5_000) {
      const list = ordinals.slice(start, start + 5_000).join(',')
      await this.#session.run(`DELETE FROM ${this.table} WHERE ${this.ordinal} IN (${list})`)
    }
  }
}
