import type { MergeTarget } from '../../adapter.ts'
import type { MysqlTable } from '../describe.ts'
import { quote, quoteTable } from '../names.ts'
import type { StagedColumn } from './staged-columns.ts'
import type { StagingTable } from './staging-table.ts'

const S = '`dray_staged`'
const T = '`dray_target`'

/** The statements that carry rows from the staging table into the target. */
export class MergeSql {
  readonly #target: string
  readonly #staging: StagingTable
  readonly #names: string
  readonly #values: string
  readonly #key: readonly StagedColumn[]
  readonly #others: readonly StagedColumn[]
  readonly #ignored: readonly StagedColumn[]
  readonly #version: StagedColumn | null
  readonly #counter: string | null
  /** A row of the input may meet a row of another key: under the collation, or by another unique key. */
  readonly mayMeetOthers: boolean
  readonly #isPrimary: boolean

  constructor(target: MergeTarget, live: MysqlTable, staging: StagingTable) {
    const column = (name: string) => staging.columns.find((candidate) => candidate.name === name) as StagedColumn
    const isKey = (name: string) => target.key.includes(name)
    const isIgnored = (name: string) => (target.ignore ?? []).includes(name) && name !== target.version
    this.#target = quoteTable(target.table)
    this.#staging = staging
    this.#names = target.columns.map(quote).join(', ')
    this.#values = target.columns.map((name) => `${S}.${quote(name)}`).join(', ')
    this.#key = target.key.map(column)
    const rest = target.columns.filter((name) => !isKey(name))
    this.#others = rest.filter((name) => !isIgnored(name)).map(column)
    this.#ignored = rest.filter(isIgnored).map(column)
    this.#version = target.version === undefined || isKey(target.version) ? null : column(target.version)
    this.#counter = target.counter === undefined ? null : quote(target.counter)
    this.#isPrimary = sameColumns(live.primaryKey, target.key)
    const indexes = [live.primaryKey, ...live.uniqueKeys].filter((columns) => columns.length > 0)
    this.mayMeetOthers = this.#key.some(({ isText }) => isText) || indexes.length > 1
  }

  get key(): readonly StagedColumn[] {
    return this.#key
  }

  /** `rows`: those from one place up to another, or all of them. */
  insert(rows: readonly [from: number, to: number] | 'all'): string {
    const where = rows === 'all' ? '' : ` WHERE ${this.#staging.range(...rows, `${S}.`)}`
    return `INSERT INTO ${this.#target} (${this.#names}) SELECT ${this.#values} FROM ${this.#staging.table} AS ${S}${where}`
  }

  /**
   * Assignments are made from left to right and see what was assigned before: those of ignored columns compare the
   * others and come first, the version is compared by all and comes last. Keys are never assigned, so a row of another
   * key can be told from the row that is meant, and is left as it is.
   */
  upsert(rows: readonly [from: number, to: number] | 'all'): string {
    const version = this.#version
    const ordered = [...this.#others.filter((column) => column !== version), ...(version ? [version] : [])]
    const conditions = [
      ...(this.mayMeetOthers ? this.#key.map((column) => this.#same(column, this.#target)) : []),
      ...(version ? [this.#isNotOlder(version, this.#target)] : []),
    ]
    const differs = this.#others.length === 0 ? ['FALSE'] : [`NOT (${this.#sameOthers(this.#target)})`]
    const assignments = [
      ...this.#ignored.map((column) => this.#assign(column, [...conditions, ...differs])),
      ...this.#count([...conditions, ...differs]),
      ...ordered.map((column) => this.#assign(column, conditions)),
    ]
    const first = `${this.#target}.${quote((this.#key[0] as StagedColumn).name)}`
    return `${this.insert(rows)} ON DUPLICATE KEY UPDATE ${assignments.join(', ') || `${first} = ${first}`}`
  }

  #count(conditions: readonly string[]): string[] {
    if (this.#counter === null) return []
    const counter = `${this.#target}.${this.#counter}`
    return [`${counter} = IF(${conditions.join(' AND ')}, ${counter} + 1, ${counter})`]
  }

  #assign(column: StagedColumn, conditions: readonly string[]): string {
    const name = quote(column.name)
    const value = `${S}.${name}`
    const target = `${this.#target}.${name}`
    return `${target} = ${conditions.length === 0 ? value : `IF(${conditions.join(' AND ')}, ${value}, ${target})`}`
  }

  #same(column: StagedColumn, target: string): string {
    return column.same(`${target}.${quote(column.name)}`, `${S}.${quote(column.name)}`)
  }

  #sameOthers(target: string): string {
    return this.#others.map((column) => this.#same(column, target)).join(' AND ')
  }

  #isNotOlder(version: StagedColumn, target: string): string {
    const name = quote(version.name)
    return `(${target}.${name} IS NULL OR ${S}.${name} >= ${target}.${name})`
  }

  /** Joins a staged row with the target's row that its unique index takes for the same. */
  get #join(): string {
    return this.#key
      .map((column) => `${T}.${quote(column.name)} = ${column.searchable(`${S}.${quote(column.name)}`)}`)
      .join(' AND ')
  }

  /** The ordinals of staged rows whose key is in the target already. */
  get existing(): string {
    return `SELECT ${S}.${this.#staging.ordinal} FROM ${this.#staging.table} AS ${S} STRAIGHT_JOIN ${this.#target} AS ${T} ON ${this.#join}`
  }

  /**
   * The ordinals of staged rows that are not in the target after the upsert, and whether a key that is equal under the
   * collation is. Where the primary key is another one, it is looked at first: then values are compared, too.
   */
  get missing(): string {
    const exact = this.#key.map((column) => this.#same(column, T))
    const held = this.#others.length === 0 ? 'TRUE' : this.#sameOthers(T)
    const older = this.#version ? ` OR NOT ${this.#isNotOlder(this.#version, T)}` : ''
    const arrived = this.#isPrimary ? exact : [...exact, `(${held}${older})`]
    const first = quote((this.#key[0] as StagedColumn).name)
    return `SELECT ${S}.${this.#staging.ordinal}, ${T}.${first} IS NOT NULL AND NOT (${exact.join(' AND ')})
      FROM ${this.#staging.table} AS ${S} LEFT JOIN ${this.#target} AS ${T} ON ${this.#join}
      WHERE ${T}.${first} IS NULL OR NOT (${arrived.join(' AND ')})`
  }
}

export function sameColumns(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name) => other.includes(name))
}
