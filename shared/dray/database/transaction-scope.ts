import { TerminalError } from '#dray/errors.ts'
import type { Connection } from './adapter.ts'
import { askedFrom, type Waiting, warnOfLongWait } from './long-wait.ts'

/**
 * What may use the connection of an open transaction, or of a savepoint in it. Statements go one after another, however
 * many are asked for at once; a savepoint is one turn from its begin to its end, so that none is closed by another one.
 */
export class TransactionScope {
  readonly connection: Connection
  /** 0 for the transaction, one more for each savepoint around a savepoint. */
  readonly depth: number
  readonly #database: string
  #tail: Promise<unknown> = Promise.resolve()
  #ended: 'committed' | 'rolled back' | null = null
  #undoes: (() => void)[] = []
  readonly #waiting = new Set<Waiting>()
  #savepoints = 0

  constructor(database: string, connection: Connection, depth = 0) {
    this.#database = database
    this.connection = connection
    this.depth = depth
  }

  /** Of a savepoint in this scope. */
  inner(): TransactionScope {
    return new TransactionScope(this.#database, this.connection, this.depth + 1)
  }

  /**
   * Waits for what was asked for before. Throws `Terminal` where the transaction has ended meanwhile: work that nobody
   * has awaited must not be committed behind a rollback, nor in a transaction of somebody else.
   */
  inTurn<T>(work: () => Promise<T>, what = 'A statement'): Promise<T> {
    if (this.#ended !== null) return Promise.reject(this.#outlived(this.#ended))
    const waits = this.#savepoints > 0 ? { what, from: askedFrom() } : null
    if (waits !== null) this.#waiting.add(waits)
    const started = () => {
      if (waits !== null) this.#waiting.delete(waits)
      if (this.#ended === 'rolled back') throw this.#outlived(this.#ended)
      return work()
    }
    const turn = this.#tail.then(started)
    this.#tail = turn.catch(() => undefined)
    return turn
  }

  /** A savepoint in this scope; says so where something has waited for its end for long. */
  async savepointInTurn<T>(work: () => Promise<T>): Promise<T> {
    const holder = { what: 'A transaction inside a transaction, as each save of a record is,', from: askedFrom() }
    const watched = async () => {
      const stop = warnOfLongWait(this.#database, holder, this.#waiting)
      return work().finally(stop)
    }
    this.#savepoints += 1
    return this.inTurn(watched, holder.what).finally(() => {
      this.#savepoints -= 1
    })
  }

  onRollback(undo: () => void): void {
    this.#undoes.push(undo)
  }

  /** What a savepoint has done is undone with what is around it. */
  handOver(outer: TransactionScope): void {
    outer.#undoes.push(...this.#undoes)
  }

  /** Takes no more turns; returns once those have ended that were asked for before, of a rollback the one at work. */
  async end(how: 'committed' | 'rolled back'): Promise<void> {
    this.#ended = how
    await this.#tail
    if (how === 'rolled back') for (const undo of this.#undoes.splice(0).reverse()) undo()
  }

  #outlived(how: string): TerminalError {
    const what = this.depth === 0 ? 'transaction' : 'transaction inside a transaction'
    return new TerminalError(
      `the ${what} on database ${this.#database} was ${how} before this statement began, so it was not run; await all work of a transaction before it returns`,
    )
  }
}
