import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { TerminalError, TransientError } from '#dray/errors.ts'
import type { Item } from '../attributes.ts'
import type { ItemCondition, ItemQuery, ItemTable, ItemUpdate, WriteOutcome } from '../item-table.ts'
import type { ItemKey } from '../keys.ts'
import { stateTable } from '../table-definition.ts'
import { checkItem } from './checked-item.ts'
import { firstAfter } from './compare-texts.ts'
import { readCondition } from './condition.ts'
import { keysOf, readKeyCondition } from './key-condition.ts'
import { inTransaction, inWords, openStateFile } from './state-file.ts'
import { checkPlaceholders } from './tokens.ts'
import { readUpdate } from './update-expression.ts'

const PAGE_ITEMS = 500

/** Beside an item stands by what it is found. */
const STORE =
  'INSERT OR REPLACE INTO items (pk, sk, item, kind, workflow, start_time, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)'

/** A page of a query, and the item after which the next one begins. */
export interface Page {
  readonly items: readonly Item[]
  readonly last: Item | null
}

/**
 * The state table as a file of this machine, which several processes and threads use at once: the same items, and the
 * same answers, as DynamoDB gives.
 */
export class SqliteItemTable implements ItemTable {
  readonly name: string
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  /** The path of a file that is there. */
  constructor(path: string) {
    this.name = path
    this.#database = openStateFile(path)
  }

  async get(key: ItemKey): Promise<Item | null> {
    return inWords(this.name, () => this.#read(key))
  }

  async *query(input: ItemQuery): AsyncGenerator<Item> {
    let after: Item | null = null
    do {
      const page: Page = this.page(input, after)
      yield* page.items
      after = page.last
    } while (after !== null)
  }

  /** One page of a query, from its beginning or after an item. */
  page(input: ItemQuery, after: Item | null): Page {
    const keyed = readKeyCondition(input.KeyConditionExpression)
    const filter = input.FilterExpression === undefined ? null : readCondition(input.FilterExpression)
    checkPlaceholders([keyed, filter], input)
    const limit = input.Limit ?? PAGE_ITEMS
    const { sql, values } = selection(input, after)
    const found = inWords(this.name, () => this.#statement(sql).all(...values, limit)) as { readonly item: string }[]
    const items = found.map(({ item }) => this.#parsed(item))
    return {
      items: filter === null ? items : items.filter((item) => filter.meaning(item, input)),
      last: items.length < limit ? null : (items.at(-1) ?? null),
    }
  }

  async update(key: ItemKey, update: ItemUpdate): Promise<WriteOutcome> {
    const changed = readUpdate(update.UpdateExpression)
    return this.#write(key, update, [changed], (item) => changed.meaning(item ?? { ...key }, update))
  }

  async put(item: Item, condition: ItemCondition): Promise<WriteOutcome> {
    return this.#write(item as unknown as ItemKey, condition, [], () => item)
  }

  /** Removes items that are past their time to live, as DynamoDB does; says how many. */
  removeExpired(now: number): number {
    const seconds = Math.floor(now / 1000)
    return inWords(this.name, () => {
      const found = this.#statement('SELECT 1 FROM items WHERE expires_at < ? LIMIT 1').get(seconds)
      // A write waits for others that write.
      if (found === undefined) return 0
      return Number(this.#statement('DELETE FROM items WHERE expires_at < ?').run(seconds).changes)
    })
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close()
  }

  #write(
    key: ItemKey,
    condition: ItemCondition,
    expressions: Parameters<typeof checkPlaceholders>[0],
    change: (item: Item | null) => Item,
  ): WriteOutcome {
    const { ConditionExpression: text } = condition
    const judged = text === undefined ? null : readCondition(text)
    checkPlaceholders([judged, ...expressions], condition)
    try {
      return inWords(this.name, () =>
        inTransaction(this.#database, () => {
          const before = this.#read(key)
          if (judged?.meaning(before ?? {}, condition) === false) return { kind: 'refused' }
          const item = change(before)
          checkItem(item)
          this.#store(item)
          return { kind: 'applied', item }
        }),
      )
    } catch (error) {
      if (error instanceof TransientError) return { kind: 'unknown', error }
      throw error
    }
  }

  #read({ pk, sk }: ItemKey): Item | null {
    const found = this.#statement('SELECT item FROM items WHERE pk = ? AND sk = ?').get(pk, sk)
    return found === undefined ? null : this.#parsed(found.item as string)
  }

  #store(item: Item): void {
    const { pk, sk, kind = null, workflow = null, start_time = null, expires_at: end } = item as Record<string, string>
    const expiresAt = typeof end === 'number' ? end : null
    this.#statement(STORE).run(pk as string, sk as string, JSON.stringify(item), kind, workflow, start_time, expiresAt)
  }

  #statement(sql: string): StatementSync {
    const statement = this.#statements.get(sql) ?? this.#database.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }

  #parsed(text: string): Item {
    try {
      return JSON.parse(text) as Item
    } catch (cause) {
      throw new TerminalError(
        `The local state ${this.name} holds an item that is no JSON, so nothing was done by it: something else than Dray has written it. Put it right there, or bring the file back from a backup.`,
        { cause },
      )
    }
  }
}

/** What SQLite is asked for a page; its last value is the limit. */
function selection(input: ItemQuery, after: Item | null): { readonly sql: string; readonly values: SQLInputValue[] } {
  const keys = keysOf(input.IndexName)
  const { partitionKey, partition, sortKey, prefix } = readKeyCondition(input.KeyConditionExpression).meaning
  const [value, beginning] = [partition(input), prefix(input)]
  const fits = partitionKey(input) === keys?.partitionKey && (sortKey?.(input) ?? keys.sortKey) === keys.sortKey
  if (!fits || typeof value !== 'string' || typeof beginning !== 'string') {
    throw new TerminalError('A query of the local state does not fit the keys of the table or its index.')
  }
  const end = firstAfter(beginning)
  const isDown = input.ScanIndexForward === false
  const order = keys === stateTable ? ['sk'] : [keys.sortKey, 'pk', 'sk']
  const where = [`${keys.partitionKey} = ?`, `${keys.sortKey} >= ?`]
  const values: SQLInputValue[] = [value, beginning]
  if (end !== null) {
    where.push(`${keys.sortKey} < ?`)
    values.push(end)
  }
  if (after !== null) {
    where.push(`(${order.join(', ')}) ${isDown ? '<' : '>'} (${order.map(() => '?').join(', ')})`)
    values.push(...order.map((name) => after[name] as string))
  }
  const sorted = order.map((name) => `${name} ${isDown ? 'DESC' : 'ASC'}`).join(', ')
  return { sql: `SELECT item FROM items WHERE ${where.join(' AND ')} ORDER BY ${sorted} LIMIT ?`, values }
}
