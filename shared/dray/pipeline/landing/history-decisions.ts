import type { OpenBlocks, Text } from '#dray/block/block.ts'
import { decodeBlock } from '#dray/block/copy-text.ts'
import { type Reason, spelledTwice, storedOtherwise } from '#dray/database/merge/spellings.ts'
import { inGroups } from '#dray/pipeline/texts/key-texts.ts'
import { versionsOf } from './current-versions.ts'
import type { HistoryLayout } from './history-layout.ts'
import { type PlacedRow, storedRows } from './stored-rows.ts'

/** What becomes of the rows of one load, by their place. */
export interface Decisions {
  /** Rows to write; with the start of the version that they take the place of, or null for a new one. */
  readonly write: Map<number, Text>
  /** The rows that are closed when a new version is written, by its place. */
  readonly close: Map<number, Text[]>
  /** Keys of rows that the table holds in another spelling, or that several of them spell otherwise, and which. */
  readonly spelled: Map<string, Reason>
  readonly unchanged: number
  readonly duplicate: number
}

/** Rows that are not written: refused by the target, or found to be what it holds already. */
interface Known {
  has(place: number): boolean
  readonly size: number
}

export async function decide(
  layout: HistoryLayout,
  open: OpenBlocks,
  { refused, alike, respell }: { readonly refused: Known; readonly alike: Known; readonly respell: boolean },
): Promise<Decisions> {
  const last = new Map<string, number>()
  let rows = 0
  for await (const row of rowsOf(open)) {
    if (!refused.has(rows)) last.set(layout.key(row), rows)
    rows += 1
  }
  const decisions = {
    write: new Map<number, Text>(),
    close: new Map<number, Text[]>(),
    spelled: new Map<string, Reason>(),
    unchanged: 0,
    met: new Map<string, readonly Text[]>(),
  }
  let place = 0
  for await (const block of open()) {
    const wanted: PlacedRow[] = []
    for (const row of decodeBlock(block)) {
      if (last.get(layout.key(row)) === place) {
        if (alike.has(place)) decisions.unchanged += 1
        else wanted.push({ place, row })
      }
      place += 1
    }
    const differing: Differing[] = []
    for (const group of inGroups(wanted)) differing.push(...(await compared(layout, group, decisions, respell)))
    await decideDiffering(layout, differing, decisions)
  }
  const { met: _, ...made } = decisions
  return { ...made, duplicate: rows - refused.size - last.size }
}

type Deciding = Omit<Decisions, 'duplicate'> & {
  unchanged: number
  /** Of each version that is known, by its key, the row that was met first. */
  readonly met: Map<string, readonly Text[]>
}

/** A row that is written otherwise than the version that is known of its key. */
interface Differing extends PlacedRow {
  readonly known: Text[]
}

async function compared(
  layout: HistoryLayout,
  group: readonly PlacedRow[],
  decisions: Deciding,
  respell: boolean,
): Promise<Differing[]> {
  const current = await versionsOf(
    layout,
    group.map(({ row }) => row),
  )
  const differing: Differing[] = []
  const spelled = respell ? new Set() : await spelledOtherwise(layout, group, current)
  for (const { place, row } of group) {
    const known = current.get(layout.key(row))
    if (known !== undefined && isMetOtherwise(layout, row, known, decisions)) continue
    if (known !== undefined && spelled.has(place))
      decisions.spelled.set(layout.key(row), storedOtherwise(keyOf(layout), layout.keyTexts(known).join(', ')))
    else if (known === undefined) decisions.write.set(place, null)
    else if (layout.differs(row, known) || layout.differsElsewhere(row, known)) differing.push({ place, row, known })
    else decisions.unchanged += 1
  }
  return differing
}

/** Whether another row of the load, which spells its key otherwise, has the same version: neither is written then. */
function isMetOtherwise(layout: HistoryLayout, row: readonly Text[], known: readonly Text[], decisions: Deciding) {
  const { met, spelled } = decisions
  const first = met.get(layout.key(known))
  if (first === undefined) met.set(layout.key(known), row)
  if (first === undefined || layout.key(first) === layout.key(row)) return false
  spelled.set(layout.key(row), spelledTwice(keyOf(layout), layout.keyTexts(first).join(', ')))
  spelled.set(layout.key(first), spelledTwice(keyOf(layout), layout.keyTexts(row).join(', ')))
  return true
}

function keyOf({ by, pipeline }: HistoryLayout) {
  return { table: pipeline.load.target.definition.table, key: by.map(({ column }) => column) }
}

/** The places of rows whose key the table would store in another spelling than that of the version that is known. */
async function spelledOtherwise(
  layout: HistoryLayout,
  group: readonly PlacedRow[],
  current: ReadonlyMap<string, readonly Text[]>,
): Promise<ReadonlySet<number>> {
  const knownOf = (row: readonly Text[]) => current.get(layout.key(row))
  const isOther = (row: readonly Text[], known: readonly Text[] | undefined) =>
    known !== undefined && !layout.isSpelledAlike(row, known)
  const written = group.filter(({ row }) => isOther(row, knownOf(row)))
  const stored = await storedRows(layout, written)
  const other = written.filter(({ place, row }) => isOther(stored.get(place) ?? row, knownOf(row)))
  return new Set(other.map(({ place }) => place))
}

/** The columns may store another text for what has not changed: a char(10) that is filled up, 1e3 as a number. */
async function decideDiffering(
  layout: HistoryLayout,
  differing: readonly Differing[],
  decisions: Deciding,
): Promise<void> {
  const { write, close } = decisions
  const stored = await storedRows(layout, differing)
  for (const { place, row: given, known } of differing) {
    const row = stored.get(place) ?? given
    const differs = layout.differs(row, known)
    if (layout.isOlder(row, known) || !(differs || layout.differsElsewhere(row, known))) decisions.unchanged += 1
    else if (!differs) write.set(place, known[layout.from] ?? null)
    else if (layout.beginsLater(row, known)) {
      write.set(place, null)
      close.set(place, layout.closed(known, given[layout.from] ?? null))
    } else write.set(place, known[layout.from] ?? null)
  }
}

export async function* rowsOf(open: OpenBlocks): AsyncGenerator<Text[]> {
  for await (const block of open()) yield* decodeBlock(block)
}
