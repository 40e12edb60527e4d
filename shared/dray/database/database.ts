import { AsyncLocalStorage } from 'node:async_hooks'
import { sql } from 'kysely'
import type { Text } from '#dray/block/block.ts'
import { ConfigurationError, TransientError } from '#dray/errors.ts'
import type { Adapter, Bound, Connection, QueryOptions, QueryResult } from './adapter.ts'
import { databaseUrl, mustVerify, urlVariable } from './database-url.ts'
import { acquireInTime, release } from './deadline.ts'
import { isLoginRefused } from './login-refused.ts'
import { openAdapter } from './open-adapter.ts'
import { bound, compile } from './statement.ts'
import { substituteFor } from './substitutes.ts'
import { TransactionScope } from './transaction-scope.ts'

export interface DatabaseOptions {
  /** For short-lived credentials, e.g. IAM tokens; asked for each new connection. */
  readonly password?: () => Promise<string>
  /** Connections at most; 2 by default, sized for a Lambda. */
  readonly maxConnections?: number
}

interface Acquired {
  readonly adapter: Adapter
  readonly connection: Connection
}

/** Statements that end or begin a transaction, behind comments. */
const CONTROLS =
  /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)*(?:begin|start\s+transaction|commit|end|rollback|abort|savepoint|release|xa|prepare\s+transaction|set\s+autocommit)\b/i

/** Made by the language of a literal in code: nobody who sends data can make one. */
function isTemplate(strings: unknown): boolean {
  return Array.isArray(strings) && Object.isFrozen(strings) && Object.isFrozen((strings as { raw?: unknown }).raw)
}

const scopes = new AsyncLocalStorage<ReadonlyMap<Database, TransactionScope>>()

/** A named connection. The name is bound to a URL by the environment, never in code. */
export class Database {
  readonly name: string
  readonly #options: DatabaseOptions
  #adapter: Promise<Adapter> | null = null
  #renewUrl: (() => Promise<void>) | null = null

  constructor(name: string, options: DatabaseOptions = {}) {
    this.name = name
    this.#options = options
  }

  /** The engine behind the URL. Throws `Configuration` when the URL is unset or malformed. */
  adapter(): Promise<Adapter> {
    const substitute = substituteFor(this.name)
    if (substitute !== undefined) return Promise.resolve(substitute)
    this.#adapter ??= this.#open().catch((error: unknown) => {
      this.#adapter = null
      throw error
    })
    return this.#adapter
  }

  async #open(): Promise<Adapter> {
    const { name } = this
    return openAdapter({ name, url: databaseUrl(name), verified: mustVerify(name), ...this.#options })
  }

  /**
   * Has `renew` called when the server refuses the password: it sets the variable of the URL anew. Where that is
   * another URL then, the connection is tried once more.
   */
  renewUrlBy(renew: () => Promise<void>): void {
    this.#renewUrl = renew
  }

  async #acquire(): Promise<Acquired> {
    const url = process.env[urlVariable(this.name)]
    const opened = this.adapter()
    const adapter = await opened
    try {
      return { adapter, connection: await acquireInTime(adapter, this.name) }
    } catch (error) {
      if (this.#renewUrl === null || !isLoginRefused(error)) throw error
      // Another caller may have renewed it meanwhile.
      if (this.#adapter === opened) await this.#renewUrl()
      if (process.env[urlVariable(this.name)] === url) throw error
      // Its connections in use go on; each is closed when it is given back.
      if (this.#adapter === opened) this.#adapter = null
      const renewed = await this.adapter()
      return { adapter: renewed, connection: await acquireInTime(renewed, this.name) }
    }
  }

  async #release({ adapter, connection }: Acquired, broken: boolean): Promise<void> {
    const current = substituteFor(this.name) ?? (await this.#adapter?.catch(() => null))
    await release(adapter, connection, broken || (current !== undefined && current !== adapter))
  }

  /** Runs `work` on a connection: the open transaction's, or a separate one, given back afterwards. */
  async withConnection<T>(work: (connection: Connection, adapter: Adapter) => Promise<T>): Promise<T> {
    const scope = scopes.getStore()?.get(this)
    if (scope !== undefined) {
      const adapter = await this.adapter()
      return scope.inTurn(() => work(scope.connection, adapter))
    }
    const acquired = await this.#acquire()
    let broken = false
    try {
      return await work(acquired.connection, acquired.adapter)
    } catch (error) {
      broken = error instanceof TransientError
      throw error
    } finally {
      await this.#release(acquired, broken)
    }
  }

  /** Runs SQL with bound values (`?` is not translated: use the engine's own placeholders). */
  query(sql: string, parameters: readonly Bound[] = [], options: QueryOptions = {}): Promise<QueryResult> {
    this.#refuseControl(sql)
    return this.withConnection((connection) => connection.query(sql, parameters, options))
  }

  /**
   * Pages of a query's rows on a separate connection, in bounded memory. Inside a transaction the rows come at once:
   * its one connection is needed for what is done with them.
   */
  async *stream(
    sql: string,
    parameters: readonly Bound[],
    guarded = (connection: Connection) => connection,
  ): AsyncGenerator<readonly (readonly Text[])[]> {
    if (this.inTransaction) {
      yield (await this.query(sql, parameters)).rows
      return
    }
    const acquired = await this.#acquire()
    let broken = false
    try {
      yield* guarded(acquired.connection).stream(sql, parameters)
    } catch (error) {
      broken = error instanceof TransientError
      throw error
    } finally {
      await this.#release(acquired, broken)
    }
  }

  /** SQL of your own; every `${value}` is bound, never interpolated. Rows are arrays of the database's own text. */
  sql(strings: TemplateStringsArray, ...values: readonly unknown[]): Promise<QueryResult> {
    if (!isTemplate(strings)) {
      throw new ConfigurationError(
        `sql of the database ${this.name} is called as a template, sql\`select … ${'$'}{value}\`, so that each value is bound; it was called as a function`,
      )
    }
    this.#refuseControl(strings[0] ?? '')
    return this.withConnection((connection, adapter) => {
      const statement = compile(adapter, sql(strings, ...values.map(bound)))
      return connection.query(statement.sql, statement.parameters)
    })
  }

  #refuseControl(sql: string): void {
    if (!this.inTransaction || !CONTROLS.test(sql)) return
    throw new ConfigurationError(
      `the statement "${sql.trim().slice(0, 40)}" would end or begin a transaction on database ${this.name} inside transaction(), which ends it itself: it commits when its work returns and rolls back when that throws`,
    )
  }

  /** True inside `transaction()` of this database. */
  get inTransaction(): boolean {
    return scopes.getStore()?.has(this) ?? false
  }

  /** Has `undo` called should the open transaction, or the savepoint in it, be rolled back. */
  onRollback(undo: () => void): void {
    scopes.getStore()?.get(this)?.onRollback(undo)
  }

  /**
   * Runs `work` in a transaction: commits when it returns, rolls back when it throws. A transaction inside a
   * transaction is a savepoint; of several at once each waits for the one before. The scope follows the asynchronous
   * calls of `work`, so two at once in one process never share one, and a call that `work` has not awaited throws
   * `Terminal` once the transaction has ended.
   */
  async transaction<T>(work: () => Promise<T>, mode: 'write' | 'snapshot' = 'write'): Promise<T> {
    const outer = scopes.getStore()?.get(this)
    if (outer !== undefined) return outer.savepointInTurn(() => this.#savepoint(outer, work))
    const acquired = await this.#acquire()
    const { connection } = acquired
    const scope = new TransactionScope(this.name, connection)
    let broken = false
    try {
      await connection.begin(mode)
      const result = await this.#within(scope, work)
      await scope.end('committed')
      await connection.commit()
      return result
    } catch (error) {
      await scope.end('rolled back')
      broken = await connection.rollback().then(
        () => false,
        () => true,
      )
      throw error
    } finally {
      await this.#release(acquired, broken)
    }
  }

  async #savepoint<T>(outer: TransactionScope, work: () => Promise<T>): Promise<T> {
    const scope = outer.inner()
    const { connection, depth } = scope
    const name = `dray_${depth}`
    try {
      await connection.savepoint(name)
      const result = await this.#within(scope, work)
      await scope.end('committed')
      await connection.releaseSavepoint(name)
      scope.handOver(outer)
      return result
    } catch (error) {
      await scope.end('rolled back')
      if (!(error instanceof TransientError)) {
        await connection.rollbackTo(name)
        await connection.releaseSavepoint(name)
      }
      throw error
    }
  }

  #within<T>(scope: TransactionScope, work: () => Promise<T>): Promise<T> {
    return scopes.run(new Map([...(scopes.getStore() ?? []), [this, scope]]), work)
  }

  async close(): Promise<void> {
    const adapter = this.#adapter
    this.#adapter = null
    await (await adapter?.catch(() => null))?.close()
  }
}
