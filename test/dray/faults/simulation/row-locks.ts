import { TransientError } from 'dray/internal/errors.ts'
import type { MemoryTransaction } from './memory-transaction.ts'

export type LockMode = 'share' | 'exclusive'

/** Row locks that last until their transaction ends; a circle of waiting transactions is broken as a deadlock. */
export class RowLocks {
  readonly #held = new Map<string, Map<MemoryTransaction, LockMode>>()
  readonly #waiting = new Map<MemoryTransaction, MemoryTransaction>()

  /**
   * Takes the lock, or says which transaction is in the way. Throws `Transient` when waiting for it would never end.
   */
  take(transaction: MemoryTransaction, key: string, mode: LockMode): MemoryTransaction | null {
    const holders = this.#held.get(key) ?? new Map<MemoryTransaction, LockMode>()
    for (const [holder, held] of holders) {
      if (holder === transaction || (mode === 'share' && held === 'share')) continue
      this.#waitFor(transaction, holder)
      return holder
    }
    this.#waiting.delete(transaction)
    if (holders.get(transaction) !== 'exclusive') holders.set(transaction, mode)
    this.#held.set(key, holders)
    return null
  }

  release(transaction: MemoryTransaction): void {
    this.#waiting.delete(transaction)
    for (const [key, holders] of this.#held) {
      holders.delete(transaction)
      if (holders.size === 0) this.#held.delete(key)
    }
  }

  get size(): number {
    return this.#held.size
  }

  #waitFor(transaction: MemoryTransaction, holder: MemoryTransaction): void {
    for (let next: MemoryTransaction | undefined = holder; next !== undefined; next = this.#waiting.get(next)) {
      if (next === transaction) {
        this.#waiting.delete(transaction)
        throw new TransientError('deadlock detected (40P01); nothing of the transaction is kept, try again')
      }
    }
    this.#waiting.set(transaction, holder)
  }
}
