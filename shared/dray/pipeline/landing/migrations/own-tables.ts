import type { Text } from '#dray/block/block.ts'
import type { Adapter, Connection } from '#dray/database/adapter.ts'
import type { ColumnType } from '#dray/database/capabilities.ts'

/** A column as a migration declares it: the models that use it now may say something else. */
interface OwnColumn extends Pick<ColumnType, 'kind'> {
  readonly length?: number
  readonly nullable?: boolean
}

interface OwnTable {
  readonly columns: Readonly<Record<string, OwnColumn>>
  readonly primaryKey: readonly string[]
}

/**
 * What migrations change Dray's own tables by, on the connection that has the lock. Whatever has been done already is
 * left as it is.
 */
export class OwnTables {
  readonly #connection: Connection
  readonly #adapter: Adapter

  constructor(connection: Connection, adapter: Adapter) {
    this.#connection = connection
    this.#adapter = adapter
  }

  async create(table: string, { columns, primaryKey }: OwnTable): Promise<void> {
    const clauses = Object.entries(columns).map(([name, column]) => this.#clause(name, column))
    const key = primaryKey.map((name) => this.#quote(name)).join(', ')
    await this.#connection.query(
      `create table if not exists ${this.#quote(table)} (${[...clauses, `primary key (${key})`].join(', ')})${this.#adapter.schema.tableOptions}`,
    )
  }

  async rename(table: string, column: string, name: string): Promise<void> {
    if (!(await this.has(table, column))) return
    await this.#connection.query(
      `alter table ${this.#quote(table)} rename column ${this.#quote(column)} to ${this.#quote(name)}`,
    )
  }

  async add(table: string, name: string, column: OwnColumn): Promise<void> {
    if (await this.has(table, name)) return
    await this.#connection.query(`alter table ${this.#quote(table)} add column ${this.#clause(name, column)}`)
  }

  /** These columns of the rows in which one is like a pattern. */
  async rowsLike(
    table: string,
    columns: readonly string[],
    column: string,
    pattern: string,
  ): Promise<readonly (readonly Text[])[]> {
    const names = columns.map((name) => this.#quote(name)).join(', ')
    const like = `${this.#quote(column)} like ${this.#adapter.placeholder(1)}`
    const { rows } = await this.#connection.query(`select ${names} from ${this.#quote(table)} where ${like}`, [pattern])
    return rows
  }

  async update(
    table: string,
    key: Readonly<Record<string, string>>,
    change: Readonly<Record<string, string>>,
  ): Promise<void> {
    let place = 0
    const equal = (name: string) => `${this.#quote(name)} = ${this.#adapter.placeholder(++place)}`
    const set = Object.keys(change).map(equal).join(', ')
    const where = Object.keys(key).map(equal).join(' and ')
    await this.#connection.query(`update ${this.#quote(table)} set ${set} where ${where}`, [
      ...Object.values(change),
      ...Object.values(key),
    ])
  }

  /** Writes the value into each row that there is. */
  async fill(table: string, column: string, value: string): Promise<void> {
    await this.#connection.query(
      `update ${this.#quote(table)} set ${this.#quote(column)} = ${this.#adapter.placeholder(1)}`,
      [value],
    )
  }

  /** The greatest number of a column; 0 where there is no row, or no such table. */
  async greatest(table: string, column: string): Promise<number> {
    const ask = () => this.#connection.query(`select max(${this.#quote(column)}) from ${this.#quote(table)}`)
    // Most often it is there. No transaction is open that a failed statement would end, or the table was just made.
    const found = await ask().catch(async () =>
      // Another Plan may have made it since: then it is asked, and whatever else was wrong is said.
      (await this.#connection.describe(table)) === null ? null : ask(),
    )
    return Number(found?.rows[0]?.[0] ?? 0)
  }

  /** Adds a row of a number and the database's time. */
  async enter(table: string, columns: readonly [number: string, time: string], number: number): Promise<void> {
    const names = columns.map((name) => this.#quote(name)).join(', ')
    await this.#connection.query(
      `insert into ${this.#quote(table)} (${names}) values (${number}, ${this.#adapter.now})`,
    )
  }

  async has(table: string, column: string): Promise<boolean> {
    const live = await this.#connection.describe(table)
    return live?.columns.some(({ name }) => name === column) ?? false
  }

  #clause(name: string, { kind, length, nullable = false }: OwnColumn): string {
    const type = this.#adapter.schema.columnType({ kind, length: length ?? null, precision: null, scale: null })
    return `${this.#quote(name)} ${type}${nullable ? '' : ' not null'}`
  }

  #quote(name: string): string {
    return this.#adapter.quote(name)
  }
}
