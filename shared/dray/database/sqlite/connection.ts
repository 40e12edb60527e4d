import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CopyBlock, OpenBlocks, Text } from '#dray/block/block.ts'
import { BlockEncoder } from '#dray/block/copy-text.ts'
import { TransientError } from '#dray/errors.ts'
import type {
  Bound,
  Connection,
  CopyOptions,
  HeldKeys,
  HeldRows,
  HeldTable,
  LiveTable,
  MergeResult,
  MergeTarget,
  QueryOptions,
  QueryResult,
  Settled,
  SettledOptions,
} from '../adapter.ts'
import { DamagedRows } from './damaged-rows.ts'
import { describeTable } from './describe.ts'
import { type Horizon, readHorizon, settled } from './horizon.ts'
import { holdKeys } from './merge/hold-keys.ts'
import { holdRows } from './merge/hold-rows.ts'
import { mergeRows } from './merge/merge.ts'
import type { MergeSession } from './merge/session.ts'
import { quote } from './names.ts'
import type { SqliteSession } from './session.ts'
import { translate } from './translate.ts'
import { isSuspect } from './valid-text.ts'
import { textsOf } from './values.ts'

const PAGE_ROWS = 1_000

/**
 * One open file. SQLite works within the call, so a signal is looked at between pages, blocks and statements only.
 * Every error is translated.
 */
export class SqliteConnection implements Connection {
  readonly session: SqliteSession
  #horizon: Horizon | null = null

  constructor(session: SqliteSession) {
    this.session = session
  }

  /** A transaction was left open. */
  get broken(): boolean {
    return !this.session.database.isOpen || this.session.database.isTransaction
  }

  query(sql: string, parameters: readonly Bound[] = [], { signal }: QueryOptions = {}): Promise<QueryResult> {
    return this.#translated(async () => {
      this.#check(signal)
      if (this.session.database.isTransaction) return this.session.run(sql, parameters)
      return this.session.patiently(() => this.session.run(sql, parameters), signal)
    })
  }

  stream(
    sql: string,
    parameters: readonly Bound[] = [],
    { signal, pageRows = PAGE_ROWS }: QueryOptions & { readonly pageRows?: number } = {},
  ): AsyncIterable<readonly (readonly Text[])[]> {
    return this.#pages(sql, parameters, Math.max(1, pageRows), signal)
  }

  async *#pages(
    sql: string,
    parameters: readonly Bound[],
    pageRows: number,
    signal: AbortSignal | undefined,
    keepDamaged?: CopyOptions['keepDamaged'],
  ) {
    this.#check(signal)
    const rows = await this.#translated(async () => this.session.iterate(sql, parameters))
    const damaged = keepDamaged ? new DamagedRows(this.session, sql, parameters, keepDamaged) : null
    let verified = false
    let place = -1
    try {
      for (let more = true; more; ) {
        const page: Text[][] = []
        await this.#translated(async () => {
          while (page.length < pageRows) {
            const next = rows.next()
            more = next.done !== true
            if (next.done === true) break
            place += 1
            if (damaged !== null) page.push(damaged.texts(place, next.value))
            else {
              if (!verified && isSuspect(next.value)) {
                this.session.requireUtf8(sql, parameters)
                verified = true
              }
              page.push(textsOf(next.value))
            }
          }
        })
        if (page.length > 0) yield page
        await nextTurn()
        this.#check(signal)
      }
    } finally {
      rows.return?.()
      damaged?.close()
    }
  }

  async *copyOut(
    sql: string,
    parameters: readonly Bound[] = [],
    { signal, keepDamaged }: CopyOptions = {},
  ): AsyncGenerator<CopyBlock> {
    const encoder = new BlockEncoder()
    for await (const page of this.#pages(sql, parameters, PAGE_ROWS, signal, keepDamaged)) {
      for (const row of page) {
        const block = encoder.push(row)
        if (block !== null) yield block
      }
    }
    const last = encoder.flush()
    if (last !== null) yield last
  }

  merge(target: MergeTarget, open: OpenBlocks, { signal }: QueryOptions = {}): Promise<MergeResult> {
    return this.#translated(() => mergeRows(this.#mergeSession(signal), target, open))
  }

  holdKeys(
    table: Pick<MergeTarget, 'table' | 'key'>,
    open: OpenBlocks,
    { signal }: QueryOptions = {},
  ): Promise<HeldKeys> {
    return this.#translated(() => holdKeys(this.#mergeSession(signal), table, open))
  }

  holdRows(table: HeldTable, open: OpenBlocks, { signal }: QueryOptions = {}): Promise<HeldRows> {
    return this.#translated(() => holdRows(this.#mergeSession(signal), table, open))
  }

  #mergeSession(signal: AbortSignal | undefined): MergeSession {
    const { session } = this
    return {
      place: session.place,
      database: session.database,
      rows: session.rows.bind(session),
      check: () => this.#check(signal),
    }
  }

  begin(mode: 'write' | 'snapshot'): Promise<void> {
    return this.#translated(async () => {
      const { database } = this.session
      if (mode === 'write') {
        this.#horizon = null
        await this.session.patiently(() => database.exec('BEGIN IMMEDIATE'))
        return
      }
      this.#horizon = readHorizon(this.session)
      // The first read is what takes the snapshot.
      await this.session.patiently(() => {
        database.exec('BEGIN')
        try {
          database.exec('SELECT 1 FROM sqlite_schema LIMIT 1')
        } catch (error) {
          database.exec('ROLLBACK')
          throw error
        }
      })
    })
  }

  commit(): Promise<void> {
    return this.#translated(async () => {
      this.#horizon = null
      if (!this.session.database.isTransaction) {
        throw new TransientError(
          `Database ${this.session.place.name} had rolled the transaction back by itself, so nothing of it was kept`,
        )
      }
      await this.session.patiently(() => this.session.database.exec('COMMIT'))
    })
  }

  rollback(): Promise<void> {
    this.#horizon = null
    return this.#translated(async () => {
      if (this.session.database.isTransaction) this.session.database.exec('ROLLBACK')
    })
  }

  savepoint(name: string): Promise<void> {
    return this.#translated(async () => this.session.database.exec(`SAVEPOINT ${quote(name)}`))
  }

  releaseSavepoint(name: string): Promise<void> {
    return this.#translated(async () => this.session.database.exec(`RELEASE ${quote(name)}`))
  }

  rollbackTo(name: string): Promise<void> {
    return this.#translated(async () => this.session.database.exec(`ROLLBACK TO ${quote(name)}`))
  }

  describe(table: string): Promise<LiveTable | null> {
    return this.#translated(async () => describeTable((sql, parameters) => this.session.rows(sql, parameters), table))
  }

  settledUntil(lagSeconds: number, options: SettledOptions = {}): Promise<Settled> {
    return this.#translated(async () => settled(this.#horizon ?? readHorizon(this.session), lagSeconds, options))
  }

  /** Its clock tells UTC. */
  serverZone(): Promise<string | null> {
    return Promise.resolve(null)
  }

  #check(signal: AbortSignal | undefined): void {
    if (!signal?.aborted) return
    throw new TransientError(
      `The work on database ${this.session.place.name} was stopped before it ended (deadline or interruption); nothing of the open transaction is kept`,
      { cause: signal.reason },
    )
  }

  async #translated<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw translate(error, this.session.place)
    }
  }
}
