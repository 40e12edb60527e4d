import type { CopyBlock, Text } from 'dray/internal/block/block.ts'
import { decodeBlock, encodeLine } from 'dray/internal/block/copy-text.ts'
import {
  DROPPED,
  type MergeResult,
  type MergeTarget,
  OTHER_SPELLING,
  type RejectedRow,
} from 'dray/internal/database/adapter.ts'
import { DataQualityError } from 'dray/internal/errors.ts'
import type { MemoryDatabase } from './memory-database.ts'
import { canonical } from './memory-table.ts'
import type { MemoryTransaction, Row } from './memory-transaction.ts'

interface Session {
  readonly database: MemoryDatabase
  readonly transaction: MemoryTransaction
  request<T>(what: string, perform: () => T | Promise<T>): Promise<T>
  wait(blockedBy: MemoryTransaction): Promise<void>
}

type Effect = 'inserted' | 'updated' | 'unchanged'
type Refusal = Omit<RejectedRow, 'row'>

const UNIQUE_VIOLATION = '23505'

/**
 * `Connection.merge` on a database in memory: of each key the last row that is not refused, row by row under the row's
 * lock; those that another row's unique value keeps out once more when others have landed, and in a ring together.
 */
export async function mergeIntoMemory(
  session: Session,
  target: MergeTarget,
  open: () => AsyncIterable<CopyBlock> | Iterable<CopyBlock>,
): Promise<MergeResult> {
  const rows = await session.request('merge: copy in', async () => {
    const texts: Text[][] = []
    for await (const block of open()) texts.push(...decodeBlock(block))
    return texts
  })
  const merging = new Merging(session, target, rows)
  await merging.mergeAll()
  return merging.result
}

class Merging {
  readonly #session: Session
  readonly #target: MergeTarget
  readonly #rows: readonly Text[][]
  readonly #counts = { inserted: 0, updated: 0, unchanged: 0, duplicate: 0 }
  readonly #rejected = new Map<number, Refusal>()

  constructor(session: Session, target: MergeTarget, rows: readonly Text[][]) {
    this.#session = session
    this.#target = target
    this.#rows = rows
  }

  get result(): MergeResult {
    const rejected = [...this.#rejected].map(([row, refusal]) => ({ ...refusal, row }))
    return { ...this.#counts, rejected: rejected.sort((a, b) => a.row - b.row) }
  }

  async mergeAll(): Promise<void> {
    for (const places of Map.groupBy(this.#rows.keys(), (place) => this.#keyAt(place)).values()) {
      if (new Set(places.map((place) => this.#spelled(place))).size > 1) {
        for (const place of places) this.#rejected.set(place, this.#spelledOtherwise(place))
        continue
      }
      for (let place = places.pop(); place !== undefined; place = places.pop()) {
        if (await this.#try(place)) this.#counts.duplicate += places.splice(0).length
      }
    }
    while ((await this.#mergeAgain()) || (await this.#mergeRing())) {}
  }

  /** Without a key no row is like another. */
  #keyAt(place: number): string {
    const { table, key } = this.#target
    return key.length === 0 ? String(place) : this.#session.database.folded(table, key, this.#named(place))
  }

  #named(place: number): Row {
    const texts = this.#rows[place] as Text[]
    return Object.fromEntries(this.#target.columns.map((column, at) => [column, canonical(texts[at] ?? null)]))
  }

  /** The key as the input writes it. */
  #spelled(place: number): string {
    const { key, columns } = this.#target
    return JSON.stringify(key.map((column) => this.#rows[place]?.[columns.indexOf(column)] ?? null))
  }

  #spelledOtherwise(place: number): Refusal {
    const message = 'another row has the same key in another spelling'
    return { line: encodeLine(this.#rows[place] as Text[]), code: OTHER_SPELLING, column: null, message }
  }

  async #try(place: number): Promise<boolean> {
    const { request } = this.#session
    try {
      const effect = await request('merge: a row', () => mergeRow(this.#session, this.#target, this.#named(place)))
      this.#counts[effect] += 1
      this.#rejected.delete(place)
      return true
    } catch (error) {
      if (!(error instanceof DataQualityError)) throw error
      const { code, field: column, message } = error
      this.#rejected.set(place, { line: encodeLine(this.#rows[place] as Text[]), code, column, message })
      return false
    }
  }

  get #waiting(): number[] {
    if (this.#target.mode === 'insert' || this.#session.database.uniqueKeys(this.#target.table).length === 0) return []
    return [...this.#rejected].flatMap(([place, { code }]) => (code === UNIQUE_VIOLATION ? [place] : []))
  }

  async #mergeAgain(): Promise<boolean> {
    for (const place of this.#waiting) if (await this.#try(place)) return true
    return false
  }

  /** Rows whose values are held by nobody but rows among them, and that one of them waits for, land together. */
  async #mergeRing(): Promise<boolean> {
    const { database, transaction } = this.#session
    const { table, key } = this.#target
    const ring = new Map(
      this.#waiting.flatMap((place) => {
        const row = this.#named(place)
        const own = database.liveVersion(transaction, table, key, row)
        return own === null ? [] : [[place, { row: { ...own.row, ...row }, replaces: own.id }] as const]
      }),
    )
    for (let before = 0; before !== ring.size; ) {
      before = ring.size
      const replaced = new Set([...ring.values()].map(({ replaces }) => replaces))
      const holders = new Map(
        [...ring].map(([place, { row, replaces }]) => [
          place,
          database
            .uniqueKeys(table)
            .map((unique) => database.liveVersion(transaction, table, unique, row)?.id ?? replaces),
        ]),
      )
      for (const [place, { replaces }] of ring) {
        const isHeld = holders.get(place)?.some((holder) => !replaced.has(holder)) === true
        const isWaitedFor = [...ring.keys()].some((other) => other !== place && holders.get(other)?.includes(replaces))
        if (isHeld || !isWaitedFor) ring.delete(place)
      }
    }
    if (ring.size === 0 || !database.putTogether(transaction, table, [...ring.values()])) return false
    for (const place of ring.keys()) this.#rejected.delete(place)
    this.#counts.updated += ring.size
    return true
  }
}

async function mergeRow(session: Session, target: MergeTarget, row: Row): Promise<Effect> {
  const { database, transaction } = session
  const liveNow = () => database.liveVersion(transaction, target.table, target.key, row)
  for (;;) {
    const blockedBy = database.hold(transaction, target.table) ?? lockKey(session, target, row, liveNow)
    if (blockedBy === null) break
    await session.wait(blockedBy)
  }
  const live = target.key.length === 0 ? null : liveNow()
  if (live === null) return written(session, target, row, null)
  if (target.mode === 'insert') throw new DataQualityError('', UNIQUE_VIOLATION, 'the key is there already')
  if (target.respell !== true && !database.isSpelledAlike(target.key, live.row, row))
    throw new DataQualityError('', OTHER_SPELLING, 'the table has this key in another spelling')
  if (!differs(target, live.row, row) || isOlder(target, row, live.row)) return 'unchanged'
  return written(session, target, { ...live.row, ...row }, live.id)
}

function written({ database, transaction }: Session, { table }: MergeTarget, row: Row, replaces: number | null) {
  if (database.put(transaction, table, row, replaces)) return replaces === null ? 'inserted' : 'updated'
  throw new DataQualityError('', DROPPED, 'the database took the row without an error but did not write it')
}

/** Locks what the row takes and what it gives up. */
function lockKey(
  { database, transaction }: Session,
  { table, key }: MergeTarget,
  row: Row,
  liveNow: () => { readonly row: Row } | null,
): MemoryTransaction | null {
  if (key.length === 0) return null
  const blockedBy = database.lockRow(transaction, table, row)
  if (blockedBy !== null || database.uniqueKeys(table).length === 0) return blockedBy
  const live = liveNow()
  return live === null ? null : database.lockRow(transaction, table, live.row)
}

function differs({ columns, ignore = [] }: MergeTarget, one: Row, other: Row): boolean {
  return columns.some((column) => !ignore.includes(column) && one[column] !== other[column])
}

function isOlder({ version, mark }: MergeTarget, row: Row, than: Row): boolean {
  if (mark !== undefined && (than[mark.column] ?? null) !== null) return false
  return version !== undefined && (row[version] ?? '') < (than[version] ?? '')
}
