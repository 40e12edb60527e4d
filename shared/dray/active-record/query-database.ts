import type { Text } from '#dray/block/block.ts'
import type { Adapter, Bound, Connection, LiveTable, Settled, SettledOptions } from '#dray/database/adapter.ts'
import { Database } from '#dray/database/database.ts'
import { compile } from '#dray/database/statement.ts'
import { ConfigurationError, TerminalError } from '#dray/errors.ts'
import { querySql } from './sql.ts'
import type { Query } from './table-definition.ts'

/** A query under the name that it is declared by. */
interface NamedQuery {
  readonly database: string
  readonly table: string
  readonly query: Query
}

/**
 * A database in which a query is described as a table is, and in which no statement writes: each of a separate
 * connection is a transaction that the engine lets nothing be written in, whatever functions the query calls.
 */
export class QueryDatabase extends Database {
  readonly #database: Database
  readonly #named: NamedQuery

  constructor(database: Database, named: NamedQuery) {
    super(database.name)
    this.#database = database
    this.#named = named
  }

  override adapter(): Promise<Adapter> {
    return this.#database.adapter()
  }

  override withConnection<T>(work: (connection: Connection, adapter: Adapter) => Promise<T>): Promise<T> {
    const isOpen = this.inTransaction
    return this.#database.withConnection((connection, adapter) => {
      const asked = new Asked(this.#named, connection, adapter)
      return work(isOpen ? asked.connection({}) : asked.connection(readingOnly(connection)), adapter)
    })
  }

  override stream(sql: string, parameters: readonly Bound[]): AsyncGenerator<readonly (readonly Text[])[]> {
    return this.#database.stream(sql, parameters, (connection) => over(connection, readingOnly(connection)))
  }

  override get inTransaction(): boolean {
    return this.#database.inTransaction
  }

  override onRollback(undo: () => void): void {
    this.#database.onRollback(undo)
  }

  override transaction<T>(work: () => Promise<T>): Promise<T> {
    return this.#database.transaction(work, 'snapshot')
  }

  override close(): Promise<void> {
    return this.#database.close()
  }
}

/** What the database is asked of a query, where it is asked of a table otherwise. */
class Asked {
  readonly #named: NamedQuery
  readonly #connection: Connection
  readonly #adapter: Adapter

  constructor(named: NamedQuery, connection: Connection, adapter: Adapter) {
    this.#named = named
    this.#connection = connection
    this.#adapter = adapter
  }

  connection(guarded: Partial<Connection>): Connection {
    const isQuery = (table: string | undefined) => table === this.#named.table
    return over(this.#connection, {
      ...guarded,
      describe: (table) => (isQuery(table) ? this.#describe() : this.#connection.describe(table)),
      settledUntil: (lagSeconds, options = {}) =>
        isQuery(options.table)
          ? this.#settledUntil(lagSeconds, options)
          : this.#connection.settledUntil(lagSeconds, options),
    })
  }

  /** Its columns, which no key holds. */
  async #describe(): Promise<LiveTable> {
    const { sql, parameters } = compile(this.#adapter, querySql(this.#named.query))
    const columns = await this.#connection.describeQuery(sql, parameters).catch((error: unknown) => {
      throw error instanceof ConfigurationError ? this.#refused(`cannot be read: ${error.message}`, error) : error
    })
    const names = columns.map(({ name }) => name)
    const twice = names.find((name, place) => names.indexOf(name) < place)
    if (twice === undefined) return { columns, primaryKey: [], uniqueKeys: [] }
    throw this.#refused(`gives the column ${twice} twice, so nothing says which of them is meant; name one by "as"`)
  }

  #refused(why: string, cause?: Error): Error {
    const { database, table } = this.#named
    return new TerminalError(
      `the query ${database}.${table} ${why}; correct it where it is declared, sourceQuery('${table}', …)`,
      { cause },
    )
  }

  /** Settled for all tables that it names. */
  async #settledUntil(lagSeconds: number, { table: _, ...options }: SettledOptions): Promise<Settled> {
    const { tables } = this.#named.query
    let settled = await this.#connection.settledUntil(lagSeconds, options)
    for (const { table } of tables) {
      if (!settled.exact) return settled
      settled = await this.#connection.settledUntil(lagSeconds, { ...options, table })
    }
    return settled
  }
}

/** Each statement in a transaction that writes nothing. */
function readingOnly(connection: Connection): Partial<Connection> {
  const alone = async <T>(work: () => Promise<T>): Promise<T> => {
    await connection.begin('read')
    try {
      return await work()
    } finally {
      await connection.rollback()
    }
  }
  const pages = async function* <Page>(open: () => AsyncIterable<Page>): AsyncGenerator<Page> {
    await connection.begin('read')
    try {
      yield* open()
    } finally {
      await connection.rollback()
    }
  }
  const { eachLine } = connection
  return {
    query: (...asked) => alone(() => connection.query(...asked)),
    stream: (...asked) => pages(() => connection.stream(...asked)),
    copyOut: (...asked) => pages(() => connection.copyOut(...asked)),
    ...(eachLine === undefined ? {} : { eachLine: (...asked) => alone(() => eachLine.apply(connection, asked)) }),
  }
}

/** The connection with some of its methods in another way. */
function over(connection: Connection, other: Partial<Connection>): Connection {
  return new Proxy(connection, {
    get(target, name) {
      const own = other[name as keyof Connection]
      if (own !== undefined) return own
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
