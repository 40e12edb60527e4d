import { AsyncLocalStorage } from 'node:async_hooks'
import { sql } from 'kysely'
import type { Adapter, AdapterOptions, Bound, Connection, QueryOptions, QueryResult, Text } from './adapter.ts'
import { ConfigurationError, TransientError } from './errors.ts'
import type { Fields } from './fields.ts'
import { defineModel, type ModelClass, type SourceClass } from './model.ts'
import { bound, compile } from './sql.ts'

export interface DatabaseOptions {
  /** For short-lived credentials, e.g. IAM tokens; asked for each new connection. */
  readonly password?: () => Promise<string>
  /** Connections at most; 2 by default, sized for a Lambda. */
  readonly maxConnections?: number
}

interface TransactionScope {
  readonly connection: Connection
  depth: number
  /** Statements of one transaction go one after another, however many are asked for at once. */
  tail: Promise<unknown>
}

const scopes = new AsyncLocalStorage<ReadonlyMap<Database, TransactionScope>>()
const databases = new Map<string, Database>()
const deadlines = new AsyncLocalStorage<AbortSignal>()

/**
 * Runs `work` under a deadline. When it fires, every statement of `work` on any database stops, COMMIT and the wait for a connection or a
 * lock among them, and throws `Transient`; whether a COMMIT that was stopped has happened is not known then.
 */
export function withDeadline<T>(deadline: AbortSignal, work: () => Promise<T>): Promise<T> {
  return deadlines.run(deadline, work)
}

/** The environment variable that binds a database's name to its URL: `crm` → `CRM_DATABASE_URL`. */
export function urlVariable(name: string): string {
  return `${name.toUpperCase().replaceAll('-', '_')}_DATABASE_URL`
}

/** The database of a name; connects on the first query. */
export function database(name: string, options: DatabaseOptions = {}): Database {
  const known = databases.get(name)
  if (known !== undefined) return known
  const created = new Database(name, options)
  databases.set(name, created)
  return created
}

/** Every database named so far in this process. */
export function knownDatabases(): readonly Database[] {
  return [...databases.values()]
}

/** Closes every connection of the process; the next query opens new ones. */
export async function closeDatabases(): Promise<void> {
  await Promise.all([...databases.values()].map((known) => known.close()))
}

const URL_FORMS = 'postgres://user@host/database, mysql://user@host/database or sqlite:path/to/file.db'

async function openAdapter(options: AdapterOptions): Promise<Adapter> {
  const scheme = /^([a-z]+):/.exec(options.url)?.[1]
  switch (scheme) {
    case 'postgres':
    case 'postgresql':
      return (await import('./adapters/postgres/index.ts')).createPostgresAdapter(options)
    case 'mysql':
    case 'mariadb':
      return (await import('./adapters/mysql/index.ts')).createMysqlAdapter(options)
    case 'sqlite':
      return (await import('./adapters/sqlite/index.ts')).createSqliteAdapter(options)
    default:
      throw new ConfigurationError(
        `${urlVariable(options.name)} is not a database URL, so ${options.name} cannot be reached; set it to ${URL_FORMS}`,
      )
  }
}

/** A named connection. The name is bound to a URL by the environment, never in code. */
export class Database {
  readonly name: string
  readonly #options: DatabaseOptions
  readonly #models: ModelClass[] = []
  #adapter: Promise<Adapter> | null = null

  constructor(name: string, options: DatabaseOptions = {}) {
    this.name = name
    this.#options = options
  }

  /** A model that reads and writes a table. */
  table<F extends Fields>(table: string, fields: F): ModelClass<F> {
    const model = defineModel(this, { table, readOnly: false }, fields)
    this.#models.push(model as unknown as ModelClass)
    return model
  }

  /** A model that only reads: it has no `save`. */
  source<F extends Fields>(table: string, fields: F): SourceClass<F> {
    const model = defineModel(this, { table, readOnly: true }, fields)
    this.#models.push(model as unknown as ModelClass)
    return model as unknown as SourceClass<F>
  }

  /** The models bound to this database, as they were declared. */
  get models(): readonly ModelClass[] {
    return this.#models
  }

  /** The engine behind the URL. Throws `Configuration` when the URL is unset or malformed. */
  adapter(): Promise<Adapter> {
    this.#adapter ??= this.#open().catch((error: unknown) => {
      this.#adapter = null
      throw error
    })
    return this.#adapter
  }

  #open(): Promise<Adapter> {
    const variable = urlVariable(this.name)
    const url = process.env[variable]
    if (url === undefined || url === '') {
      return Promise.reject(
        new ConfigurationError(
          `${variable} is not set, so the database ${this.name} cannot be reached; set it to ${URL_FORMS}`,
        ),
      )
    }
    return openAdapter({ name: this.name, url, ...this.#options })
  }

  /** Runs `work` on a connection: the open transaction's, or one of its own, given back afterwards. */
  async withConnection<T>(work: (connection: Connection, adapter: Adapter) => Promise<T>): Promise<T> {
    const adapter = await this.adapter()
    const scope = scopes.getStore()?.get(this)
    if (scope !== undefined) return inTurn(scope, () => work(scope.connection, adapter))
    const connection = await this.#acquire(adapter)
    let broken = false
    try {
      return await work(connection, adapter)
    } catch (error) {
      broken = error instanceof TransientError
      throw error
    } finally {
      await release(adapter, connection, broken)
    }
  }

  /** A connection that stops at the deadline of the work that asks for it. */
  async #acquire(adapter: Adapter): Promise<Connection> {
    const deadline = deadlines.getStore()
    if (deadline === undefined) return adapter.acquire()
    const connection = await acquireUntil(deadline, adapter, this.name)
    connection.stopAt?.(deadline)
    return connection
  }

  /** Runs SQL with bound values (`?` is not translated: use the engine's own placeholders). */
  query(sql: string, parameters: readonly Bound[] = [], options: QueryOptions = {}): Promise<QueryResult> {
    return this.withConnection((connection) => connection.query(sql, parameters, options))
  }

  /**
   * Pages of a query's rows on a connection of their own, in bounded memory. Inside a transaction the rows come at once: its
   * one connection is needed for what is done with them.
   */
  async *stream(sql: string, parameters: readonly Bound[]): AsyncGenerator<readonly (readonly Text[])[]> {
    if (this.inTransaction) {
      yield (await this.query(sql, parameters)).rows
      return
    }
    const adapter = await this.adapter()
    const connection = await this.#acquire(adapter)
    let broken = false
    try {
      yield* connection.stream(sql, parameters)
    } catch (error) {
      broken = error instanceof TransientError
      throw error
    } finally {
      await release(adapter, connection, broken)
    }
  }

  /** SQL of your own; every `${value}` is bound, never interpolated. Rows are arrays of the database's own text. */
  sql(strings: TemplateStringsArray, ...values: readonly unknown[]): Promise<QueryResult> {
    return this.withConnection((connection, adapter) => {
      const statement = compile(adapter, sql(strings, ...values.map(bound)))
      return connection.query(statement.sql, statement.parameters)
    })
  }

  /** True inside `transaction()` of this database. */
  get inTransaction(): boolean {
    return scopes.getStore()?.has(this) ?? false
  }

  /**
   * Runs `work` in a transaction: commits when it returns, rolls back when it throws. A transaction inside a transaction is a
   * savepoint. The scope follows the asynchronous calls of `work`, so two at once in one process never share one.
   */
  async transaction<T>(work: () => Promise<T>, mode: 'write' | 'snapshot' = 'write'): Promise<T> {
    const outer = scopes.getStore()?.get(this)
    if (outer !== undefined) return this.#savepoint(outer, work)
    const adapter = await this.adapter()
    const connection = await this.#acquire(adapter)
    const scope: TransactionScope = { connection, depth: 0, tail: Promise.resolve() }
    let broken = false
    try {
      await connection.begin(mode)
      const result = await scopes.run(new Map([...(scopes.getStore() ?? []), [this, scope]]), work)
      await scope.tail.catch(() => undefined)
      await connection.commit()
      return result
    } catch (error) {
      await scope.tail.catch(() => undefined)
      broken = await connection.rollback().then(
        () => false,
        () => true,
      )
      throw error
    } finally {
      await release(adapter, connection, broken)
    }
  }

  async #savepoint<T>(scope: TransactionScope, work: () => Promise<T>): Promise<T> {
    scope.depth += 1
    const name = `dray_${scope.depth}`
    try {
      await inTurn(scope, () => scope.connection.savepoint(name))
      const result = await work()
      await inTurn(scope, () => scope.connection.releaseSavepoint(name))
      return result
    } catch (error) {
      if (!(error instanceof TransientError)) {
        await inTurn(scope, async () => {
          await scope.connection.rollbackTo(name)
          await scope.connection.releaseSavepoint(name)
        })
      }
      throw error
    } finally {
      scope.depth -= 1
    }
  }

  async close(): Promise<void> {
    const adapter = this.#adapter
    this.#adapter = null
    await (await adapter?.catch(() => null))?.close()
  }
}

async function release(adapter: Adapter, connection: Connection, broken: boolean): Promise<void> {
  connection.stopAt?.(undefined)
  await adapter.release(connection, broken)
}

/** A connection that comes too late is given back. */
async function acquireUntil(deadline: AbortSignal, adapter: Adapter, name: string): Promise<Connection> {
  const late = () =>
    new TransientError(`The deadline came before a connection to ${name}, so nothing was sent; try again`, {
      cause: deadline.reason,
    })
  if (deadline.aborted) throw late()
  const acquiring = adapter.acquire()
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      void acquiring.then((connection) => adapter.release(connection)).catch(() => {})
      reject(late())
    }
    deadline.addEventListener('abort', onAbort, { once: true })
    acquiring.then(resolve, reject).finally(() => deadline.removeEventListener('abort', onAbort))
  })
}

function inTurn<T>(scope: TransactionScope, work: () => Promise<T>): Promise<T> {
  const turn = scope.tail.then(work, work)
  scope.tail = turn.catch(() => undefined)
  return turn
}
