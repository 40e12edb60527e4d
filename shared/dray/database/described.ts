import { AsyncLocalStorage } from 'node:async_hooks'
import type { DescribedTables, LiveTable } from './adapter.ts'

const works = new AsyncLocalStorage<Map<string, Described>>()

/** Statements that change a table, or take back what has changed one. */
const CHANGES = /\b(?:create|alter|drop|rename|rollback)\b/i

/**
 * Within `work` a table is looked at once, until a statement of this process has changed one: it is taken for what it
 * was at the first look. For work that looks before anything is read or written; what holds rows looks again.
 */
export function describingOnce<T>(work: () => Promise<T>): Promise<T> {
  return works.run(new Map(), work)
}

/** What the work that asks knows of the tables of a database; undefined where each look is a new one. */
export function describedIn(database: string): DescribedTables | undefined {
  const known = works.getStore()
  if (known === undefined) return undefined
  const found = known.get(database) ?? new Described()
  known.set(database, found)
  return found
}

class Described implements DescribedTables {
  readonly #tables = new Map<string, Promise<LiveTable | null>>()

  of(table: string, ask: () => Promise<LiveTable | null>): Promise<LiveTable | null> {
    const known = this.#tables.get(table)
    if (known !== undefined) return known
    const asked = ask()
    this.#tables.set(table, asked)
    asked.catch(() => this.#tables.delete(table))
    return asked
  }

  forgetAfter(sql: string): void {
    if (CHANGES.test(sql)) this.#tables.clear()
  }
}
