import type { CopyBlock, Text } from 'dray/internal/block/block.ts'
import { decodeBlock, encodeLine } from 'dray/internal/block/copy-text.ts'
import { type MergeResult, type MergeTarget, OTHER_SPELLING, type RejectedRow } from 'dray/internal/database/adapter.ts'
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

/**
 * `Connection.merge` on a database in memory: of each key the last row that is not refused, row by row under the row's
 * lock.
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
  const counts = { inserted: 0, updated: 0, unchanged: 0, duplicate: 0 }
  const rejected: RejectedRow[] = []
  // Without a key no row is like another.
  const keyAt = (place: number) =>
    target.key.length === 0 ? String(place) : keyOf(target, named(target, rows[place] as Text[]))
  for (const places of Map.groupBy(rows.keys(), keyAt).values()) {
    if (new Set(places.map((place) => spelled(target, rows[place] as Text[]))).size > 1) {
      rejected.push(...places.map((place) => ({ ...spelledOtherwise(rows[place] as Text[]), row: place })))
      continue
    }
    for (let place = places.pop(); place !== undefined; place = places.pop()) {
      const refusal = await tried(session, target, rows[place] as Text[], counts)
      if (refusal !== null) rejected.push({ ...refusal, row: place })
      else counts.duplicate += places.splice(0).length
    }
  }
  return { ...counts, rejected: rejected.sort((a, b) => a.row - b.row) }
}

async function tried(
  session: Session,
  target: MergeTarget,
  texts: Text[],
  counts: Record<Effect, number>,
): Promise<Omit<RejectedRow, 'row'> | null> {
  try {
    counts[await session.request('merge: a row', () => mergeRow(session, target, named(target, texts)))] += 1
    return null
  } catch (error) {
    if (!(error instanceof DataQualityError)) throw error
    const { code, field: column, message } = error
    return { line: encodeLine(texts), code, column, message }
  }
}

function named({ columns }: MergeTarget, texts: readonly Text[]): Row {
  return Object.fromEntries(columns.map((column, at) => [column, canonical(texts[at] ?? null)]))
}

function keyOf({ key }: MergeTarget, row: Row): string {
  return key.map((column) => row[column] ?? '').join('|')
}

/** The key as the input writes it. */
function spelled({ key, columns }: MergeTarget, texts: readonly Text[]): string {
  return JSON.stringify(key.map((column) => texts[columns.indexOf(column)] ?? null))
}

function spelledOtherwise(texts: Text[]): Omit<RejectedRow, 'row'> {
  const message = 'another row has the same key in another spelling'
  return { line: encodeLine(texts), code: OTHER_SPELLING, column: null, message }
}

async function mergeRow(session: Session, target: MergeTarget, row: Row): Promise<Effect> {
  const { database, transaction } = session
  for (;;) {
    const blockedBy = database.hold(transaction, target.table) ?? lockKey(session, target, row)
    if (blockedBy === null) break
    await session.wait(blockedBy)
  }
  if (target.key.length === 0) {
    database.put(transaction, target.table, row, null)
    return 'inserted'
  }
  const live = database.liveVersion(transaction, target.table, target.key, row)
  if (live === null) {
    database.put(transaction, target.table, row, null)
    return 'inserted'
  }
  if (target.mode === 'insert') throw new DataQualityError('', '23505', 'the key is there already')
  if (!differs(target, live.row, row) || isOlder(target, row, live.row)) return 'unchanged'
  database.put(transaction, target.table, { ...live.row, ...row }, live.id)
  return 'updated'
}

function lockKey({ database, transaction }: Session, target: MergeTarget, row: Row): MemoryTransaction | null {
  if (target.key.length === 0) return null
  return database.locks.take(transaction, `${target.table}:${keyOf(target, row)}`, 'exclusive')
}

function differs({ columns, ignore = [] }: MergeTarget, one: Row, other: Row): boolean {
  return columns.some((column) => !ignore.includes(column) && one[column] !== other[column])
}

function isOlder({ version }: MergeTarget, row: Row, than: Row): boolean {
  return version !== undefined && (row[version] ?? '') < (than[version] ?? '')
}
