import type { CopyBlock, OpenBlocks } from '#dray/block/block.ts'
import { BlockEncoder, encodeLine } from '#dray/block/copy-text.ts'
import type { QueryOptions, RejectedRow } from '#dray/database/adapter.ts'
import { otherSpellings, spelledTwice } from '#dray/database/merge/spellings.ts'
import { rowsOf } from './history-decisions.ts'
import type { HistoryLayout } from './history-layout.ts'
import { placesOfKeys } from './same-keys.ts'

/** Rows whose key another row of the load writes otherwise, by their place: neither is a newer state of the other. */
export async function spelledRows(
  layout: HistoryLayout,
  open: OpenBlocks,
  options: QueryOptions,
): Promise<Map<number, RejectedRow>> {
  const spelled = new Map<number, RejectedRow>()
  const groups = await groupsOf(layout, open, options)
  if (groups.size === 0) return spelled
  const target = {
    table: layout.pipeline.load.target.definition.table,
    key: layout.by.map(({ column }) => column),
    columns: layout.columns.map(({ column }) => column),
  }
  const others = await otherSpellings(open, target, groups)
  let row = 0
  for await (const texts of rowsOf(open)) {
    const other = others.get(row)
    if (other !== undefined) spelled.set(row, { row, line: encodeLine(texts), ...spelledTwice(target, other) })
    row += 1
  }
  return spelled
}

/**
 * The places of rows that share a key which is written in several ways, each with the number of its key. What the
 * models take for one key may be one with others for the target.
 */
async function groupsOf(
  layout: HistoryLayout,
  open: OpenBlocks,
  options: QueryOptions,
): Promise<ReadonlyMap<number, number>> {
  const written = new Map<string, { readonly place: number; readonly texts: string }>()
  const same = new SamePlaces()
  let isSpelled = false
  let place = 0
  for await (const row of rowsOf(open)) {
    const [key, texts] = [layout.key(row), JSON.stringify(layout.keyTexts(row))]
    const first = written.get(key)
    if (first === undefined) written.set(key, { place, texts })
    else {
      same.join(first.place, place)
      if (first.texts !== texts) isSpelled = true
    }
    place += 1
  }
  if (!isSpelled) return new Map()
  const shared = await placesOfKeys(layout.pipeline.load.target, layout.by, () => keysOf(layout, open), options)
  for (const [one, first] of shared) same.join(first, one)
  return same.groups()
}

async function* keysOf(layout: HistoryLayout, open: OpenBlocks): AsyncGenerator<CopyBlock> {
  const encoder = new BlockEncoder()
  for await (const row of rowsOf(open)) {
    const full = encoder.push(layout.keyTexts(row))
    if (full !== null) yield full
  }
  const rest = encoder.flush()
  if (rest !== null) yield rest
}

/** Places that are found to be of one key, two at a time. */
class SamePlaces {
  readonly #before = new Map<number, number>()

  join(one: number, other: number): void {
    const [first, second] = [this.#firstOf(one), this.#firstOf(other)]
    this.#before.set(Math.max(first, second), Math.min(first, second))
    this.#before.set(other, this.#firstOf(other))
  }

  /** Each place with the first one of its key. */
  groups(): ReadonlyMap<number, number> {
    const places = new Set([...this.#before].flat())
    return new Map([...places].map((place) => [place, this.#firstOf(place)]))
  }

  #firstOf(place: number): number {
    let at = place
    for (;;) {
      const before = this.#before.get(at) ?? at
      if (before === at) return at
      at = before
    }
  }
}
