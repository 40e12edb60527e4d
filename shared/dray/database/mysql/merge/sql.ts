import { versionGuard } from '#dray/database/merge/version-guard.ts'
import type { MergeTarget } from '../../adapter.ts'
import { quote, quoteTable } from '../names.ts'
import type { StagedColumn } from './staged-columns.ts'
import type { StagingTable } from './staging-table.ts'
import type { TargetTable } from './target-table.ts'

const S = '`dray_staged`'
const T = '`dray_target`'

/** The statements that carry rows from the staging table into the target. `where` names rows by their ordinals. */
export class MergeSql {
  readonly key: readonly StagedColumn[]
  /** One statement inserts and updates, and its counts are exact: no trigger sees a row that is left as it is. */
  readonly isOneStatement: boolean
  readonly #table: string
  readonly #staging: StagingTable
  readonly #columns: readonly string[]
  readonly #others: readonly StagedColumn[]
  readonly #ignored: readonly StagedColumn[]
  readonly #target: MergeTarget
  readonly #isGuarded: boolean
  readonly #counter: string | null
  readonly #respell: boolean

  constructor(target: MergeTarget, live: TargetTable, staging: StagingTable) {
    const column = (name: string) => staging.columns.find((candidate) => candidate.name === name) as StagedColumn
    const isKey = (name: string) => target.key.includes(name)
    const isIgnored = (name: string) => (target.ignore ?? []).includes(name) && name !== target.version
    this.#table = quoteTable(target.table)
    this.#staging = staging
    this.#columns = target.columns.map(quote)
    this.key = target.key.map(column)
    const rest = target.columns.filter((name) => !isKey(name))
    this.#others = rest.filter((name) => !isIgnored(name)).map(column)
    this.#ignored = rest.filter(isIgnored).map(column)
    this.#target = target
    this.#isGuarded = target.version !== undefined && !isKey(target.version)
    this.#counter = target.counter === undefined ? null : quote(target.counter)
    this.#respell = target.respell === true
    const indexes = [live.primaryKey, ...live.uniqueKeys].filter((columns) => columns.length > 0)
    const isPlain = !live.mayHaveTriggers && !live.isVersioned && live.areKeysWhole
    this.isOneStatement = isPlain && !this.isSpelled && indexes.length === 1
  }

  /** A key may be stored in another spelling. */
  get isSpelled(): boolean {
    return this.key.some(({ isText }) => isText)
  }

  insert(where = 'TRUE'): string {
    return `INSERT INTO ${this.#table} (${this.#columns.join(', ')}) SELECT ${this.#values} FROM ${this.#staging.table} AS ${S} WHERE ${where}`
  }

  get #values(): string {
    return this.#columns.map((name) => `${S}.${name}`).join(', ')
  }

  /**
   * Assignments are made from left to right and see what was assigned before: those of ignored columns compare the
   * others and come first, the version is compared by all and comes behind them; the mark last, since a row that was
   * marked has the given version then.
   */
  upsert(where = 'TRUE'): string {
    const { version, mark } = this.#target
    const last = this.#isGuarded ? [version, mark?.column] : []
    const ordered = this.#others.toSorted((one, other) => last.indexOf(one.name) - last.indexOf(other.name))
    const conditions = this.#guard(this.#table)
    const differs = this.#others.length === 0 ? ['FALSE'] : [`NOT (${this.#sameOthers(this.#table)})`]
    const assignments = [
      ...this.#ignored.map((column) => this.#assign(column, [...conditions, ...differs])),
      ...this.#count([...conditions, ...differs]),
      ...ordered.map((column) => this.#assign(column, conditions)),
    ]
    const first = `${this.#table}.${quote((this.key[0] as StagedColumn).name)}`
    return `${this.insert(where)} ON DUPLICATE KEY UPDATE ${assignments.join(', ') || `${first} = ${first}`}`
  }

  #count(conditions: readonly string[]): string[] {
    if (this.#counter === null) return []
    const counter = `${this.#table}.${this.#counter}`
    return [`${counter} = IF(${conditions.join(' AND ')}, ${counter} + 1, ${counter})`]
  }

  #assign(column: StagedColumn, conditions: readonly string[]): string {
    const name = quote(column.name)
    const value = `${S}.${name}`
    const target = `${this.#table}.${name}`
    return `${target} = ${conditions.length === 0 ? value : `IF(${conditions.join(' AND ')}, ${value}, ${target})`}`
  }

  /** How many rows there are, how many of them the target has, and how many of those are to stay as they are. */
  look(where: string): string {
    const { name } = this.key[0] as StagedColumn
    const stored = `${T}.${quote(name)} IS NOT NULL`
    return `SELECT COUNT(*), COALESCE(SUM(${stored}), 0), COALESCE(SUM(${stored} AND NOT (${this.#changes})), 0)
      FROM ${this.#staging.table} AS ${S} LEFT JOIN ${this.#table} AS ${T} ON ${this.#join} WHERE ${where}`
  }

  /** How many of these rows the target does not have after they were written: a trigger has changed their key. */
  missing(where: string): string {
    const { name } = this.key[0] as StagedColumn
    const isKeyed = this.key.map((column) => `${S}.${quote(column.name)} IS NOT NULL`).join(' AND ')
    return `SELECT COUNT(*) FROM ${this.#staging.table} AS ${S} LEFT JOIN ${this.#table} AS ${T} ON ${this.#join}
      WHERE ${where} AND ${isKeyed} AND ${T}.${quote(name)} <=> NULL`
  }

  /** Writes rows that the target has, in another form. */
  update(where: string): string {
    const written = [...this.#others, ...this.#ignored, ...(this.#respell ? this.key : [])]
    const counter = this.#counter === null ? [] : [`${T}.${this.#counter} = ${T}.${this.#counter} + 1`]
    const set = written.map(({ name }) => `${T}.${quote(name)} = ${S}.${quote(name)}`)
    return `UPDATE ${this.#both} SET ${[...set, ...counter].join(', ')} WHERE ${where} AND ${this.#changes}`
  }

  /** Writes rows that the target does not have. */
  insertNew(where: string): string {
    const { name } = this.key[0] as StagedColumn
    return `INSERT INTO ${this.#table} (${this.#columns.join(', ')}) SELECT ${this.#values}
      FROM ${this.#staging.table} AS ${S} LEFT JOIN ${this.#table} AS ${T} ON ${this.#join} WHERE ${where} AND ${T}.${quote(name)} <=> NULL`
  }

  clear(columns: readonly string[], where: string): string {
    const set = columns.map((name) => `${T}.${quote(name)} = NULL`).join(', ')
    return `UPDATE ${this.#both} SET ${set} WHERE ${where}`
  }

  delete(where: string): string {
    return `DELETE ${T} FROM ${this.#both} WHERE ${where}`
  }

  /** The ordinals of staged rows whose key is in the target already. */
  get existing(): string {
    return `SELECT ${S}.${this.#staging.ordinal} FROM ${this.#both}`
  }

  /** The ordinals of staged rows, each with its key in the target. */
  stored(where: string): string {
    return `SELECT ${S}.${this.#staging.ordinal}, ${this.#storedKey} FROM ${this.#both} WHERE ${where}`
  }

  /** The ordinals of staged rows, each with the key of the target's row that has its values of another unique key. */
  taken(unique: readonly StagedColumn[], where: string): string {
    return `SELECT ${S}.${this.#staging.ordinal}, ${this.#storedKey}
      FROM ${this.#staging.table} AS ${S} STRAIGHT_JOIN ${this.#table} AS ${T} ON ${sameOf(unique)} WHERE ${where}`
  }

  get #storedKey(): string {
    return this.key.map(({ name }) => `${T}.${quote(name)}`).join(', ')
  }

  /** The ordinals of staged rows whose key the target has in another spelling, with that. */
  get storedOtherwise(): string {
    return this.stored(`NOT (${this.#sameKey})`)
  }

  get #both(): string {
    return `${this.#staging.table} AS ${S} STRAIGHT_JOIN ${this.#table} AS ${T} ON ${this.#join}`
  }

  /** Joins a staged row with the target's row that its unique index takes for the same. */
  get #join(): string {
    return sameOf(this.key)
  }

  get #sameKey(): string {
    return this.key.map((column) => this.#same(column, T)).join(' AND ')
  }

  /** Whether a row of the target is to be written. */
  get #changes(): string {
    const spelled = this.isSpelled && this.#respell ? [`NOT (${this.#sameKey})`] : []
    const differs = this.#others.length === 0 ? [] : [`NOT (${this.#sameOthers(T)})`]
    const written = [...spelled, ...differs].join(' OR ') || 'FALSE'
    const conditions = [`(${written})`, ...this.#guard(T), ...(this.isSpelled && !this.#respell ? [this.#sameKey] : [])]
    return `(${conditions.join(' AND ')}) IS TRUE`
  }

  #same(column: StagedColumn, target: string): string {
    return column.same(`${target}.${quote(column.name)}`, `${S}.${quote(column.name)}`)
  }

  #sameOthers(target: string): string {
    return this.#others.map((column) => this.#same(column, target)).join(' AND ')
  }

  #guard(stored: string): string[] {
    const guard = this.#isGuarded ? versionGuard(this.#target, { stored, given: S, quote }) : null
    return guard === null ? [] : [guard]
  }
}

/** The staged row has the values of the target's row, as its index compares them. */
function sameOf(columns: readonly StagedColumn[]): string {
  return columns
    .map((column) => `${T}.${quote(column.name)} = ${column.searchable(`${S}.${quote(column.name)}`)}`)
    .join(' AND ')
}
