import { bulkColumns } from '#dray/active-record/bulk.ts'
import type { CopyBlock } from '#dray/block/block.ts'
import { BlockEncoder, encodeLine } from '#dray/block/copy-text.ts'
import { OTHER_SPELLING } from '#dray/database/adapter.ts'
import type { Plan } from '#dray/pipeline/plan/staged-plan.ts'
import { keyPlaces, takenOverKey } from '#dray/pipeline/rows/taken-over-key.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { inGroups } from '#dray/pipeline/texts/key-texts.ts'
import { startOf } from '#dray/pipeline/texts/run-start.ts'
import { enterMoved, type LandedRun, SECOND_TRY } from './ledger.ts'
import type { Landed } from './left-alone.ts'
import { loadRows } from './load-rows.ts'
import { NewerRows } from './newer-rows.ts'
import { lineOf, type RefusedRow, type RefusedRows, refusedRows, rowsAt, sourceTexts } from './refused-rows.ts'
import { renamedKeys } from './renamed-keys.ts'
import { takeBackRepeats } from './repeated-versions.ts'
import type { SharedKeys } from './shared-keys.ts'

type Tried = Pick<Landed, 'inserted' | 'updated' | 'unchanged' | 'duplicate' | 'left'>

const NOTHING_TRIED: Tried = { inserted: 0, updated: 0, unchanged: 0, duplicate: 0, left: 0 }

/** What a run has landed after it, and which of the refused rows have not. */
interface SecondTried {
  readonly landed: LandedRun
  readonly left: ReadonlySet<number>
}

interface Work extends RefusedRows {
  readonly planned: Pick<Plan, 'advances' | 'partitions' | 'schema'>
  /** Null where no row of the run can have the key of another. */
  readonly shared: SharedKeys | null
}

/**
 * Loads the rows again that the target has refused while the others were loaded: now those are there that they refer
 * to, and those are gone whose unique values they take. In the open transaction of the target, behind the fence. The
 * ledger's entry says what has landed; what is refused even so is left to be quarantined.
 */
export class SecondTry {
  readonly #work: Work
  #tried: Tried = NOTHING_TRIED
  /** The places of rows that have not landed; null before the first try. */
  #left: ReadonlySet<number> | null = null
  /** Of rows that share a key those that may land yet, the newest first, which alone is tried. */
  #newer: NewerRows | null = null

  constructor(work: Work) {
    this.#work = work
  }

  /** Tries them until none lands any more: one that lands may make room for another. */
  async run(): Promise<void> {
    if (this.#newer === null) await this.#giveWay()
    for (let before = -1; before !== rowsOf(this.#tried); ) {
      before = rowsOf(this.#tried)
      this.#left = await this.#round(this.#left)
      this.#drop(this.#newer?.outdated(this.#left) ?? [])
    }
  }

  /** Where the newest row of a key is refused to the end, the one before it is tried. */
  async runToTheEnd(): Promise<void> {
    do await this.run()
    while (this.#newer?.giveUp())
    if (this.#work.pipeline.load.history?.time === 'run') await this.#takeBackRepeats()
  }

  /** Rows of which a newer one has landed are not tried. */
  async #giveWay(): Promise<void> {
    const { shared } = this.#work
    if (shared === null) return
    const places = new Map<string, number[]>()
    for await (const { place, kept } of refusedRows(this.#work)) {
      const line = lineOf(this.#work.pipeline, kept)
      places.set(line, [...(places.get(line) ?? []), place])
    }
    this.#left = new Set([...places.values()].flat())
    this.#newer = new NewerRows(shared, places)
    this.#drop([...shared.outdated].flatMap((line) => places.get(line) ?? []))
  }

  #drop(places: readonly number[]): void {
    if (places.length === 0) return
    this.#left = (this.#left as ReadonlySet<number>).difference(new Set(places))
    this.#tried = { ...this.#tried, duplicate: this.#tried.duplicate + places.length }
  }

  async #takeBackRepeats(): Promise<void> {
    const { pipeline, input, services } = this.#work
    const landed = await rowsAt(this.#work, new Set(this.#newer?.landed))
    const places = keyPlaces(pipeline)
    const keys = [...landed.values()].map(({ texts }) => places.map((place) => texts[place] ?? null))
    for (const group of inGroups(keys)) await takeBackRepeats(pipeline, group, startOf(input.run), services)
  }

  async #round(left: ReadonlySet<number> | null): Promise<ReadonlySet<number>> {
    const work = this.#work
    const isLeft = (place: number) => left === null || left.has(place)
    const isTaken = takenOverKey(work.pipeline)
    const isTakenOver = ({ kept, texts }: RefusedRow) => isTaken(sourceTexts(work.pipeline, kept), texts)
    const isDue = (row: RefusedRow, place: number) => {
      const isFirst = this.#newer?.isFirst(place)
      if (isFirst !== undefined) return isFirst
      return mayBeTried(work) || (isTakenOver(row) ? !inChunks(work) : work.shared !== null)
    }
    const first = await attemptEach(work, (row, place) => isLeft(place) && isDue(row, place), false)
    const refused = new Set<number>()
    const spelled = new Set<number>()
    for (const { row, code } of first.rejected) (code === OTHER_SPELLING ? spelled : refused).add(row)
    const together = await attemptTogether(work, refused)
    for (const place of together?.landed ?? []) refused.delete(place)
    const rows = spelled.size === 0 ? new Map<number, RefusedRow>() : await rowsAt(work, spelled)
    const renamed = new Set(await renamedKeys(work.pipeline, rows, work.planned.schema))
    // Of several source rows of one target row the newest counts, however it spells the key.
    for (const [place, row] of rows) if (this.#newer?.isFirst(place) || !isTakenOver(row)) renamed.add(place)
    for (const row of spelled) if (!renamed.has(row)) refused.add(row)
    const second = renamed.size === 0 ? null : await attemptEach(work, (_, place) => renamed.has(place), true)
    for (const { row } of second?.rejected ?? []) refused.add(row)
    for (const place of first.untried) if (isLeft(place)) refused.add(place)
    for (const tried of [first, together, second]) if (tried !== null) this.#tried = sumOf(this.#tried, tried)
    return refused
  }

  /** The keys in the target of the rows that have not landed, each as one text. */
  async keysLeft(): Promise<ReadonlySet<string>> {
    const { load } = this.#work.pipeline
    const columns = bulkColumns(load.target.definition)
    const places = load.by.map((name) => columns.findIndex((column) => column.name === name))
    const keys = new Set<string>()
    for await (const { place, row } of refusedRows(this.#work)) {
      if (row === null || this.#left?.has(place) === false) continue
      keys.add(keyOf(places.map((at) => row.texts[at] ?? null)))
    }
    return keys
  }

  /** Enters what has landed in the ledger. */
  async enter(landed: LandedRun): Promise<SecondTried> {
    const left = this.#left ?? new Set()
    const rows = rowsOf(this.#tried)
    if (rows === 0) return { landed, left }
    await enterMoved(this.#work.pipeline, this.#work.input, SECOND_TRY, { ...this.#tried, quarantined: -rows })
    const sums = {
      ...landed,
      ...sumOf(landed, this.#tried),
      quarantined: landed.quarantined - rows,
      isTriedAgain: true,
    }
    return { landed: sums, left }
  }
}

function rowsOf({ inserted, updated, unchanged, duplicate, left }: Tried): number {
  return inserted + updated + unchanged + duplicate + left
}

function sumOf(one: Tried, other: Tried): Tried {
  return {
    inserted: one.inserted + other.inserted,
    updated: one.updated + other.updated,
    unchanged: one.unchanged + other.unchanged,
    duplicate: one.duplicate + other.duplicate,
    left: one.left + other.left,
  }
}

/** Whether no row can take the place of a newer one of its key: a version guards it, or there is one partition. */
function mayBeTried({ pipeline: { load }, planned }: Work): boolean {
  return load.version !== null || load.kind === 'append' || planned.partitions.length === 1
}

/** Whether a row may have been read by two partitions. */
function inChunks({ planned }: Work): boolean {
  return planned.partitions.some(({ window }) => window !== undefined)
}

interface Attempt extends Tried {
  readonly rejected: readonly { readonly row: number; readonly code: string }[]
  readonly untried: ReadonlySet<number>
}

/**
 * Partition by partition, as they were loaded: of two rows of one key in different partitions the later one is not the
 * newer one.
 */
async function attemptEach(
  work: Work,
  isChosen: (row: RefusedRow, place: number) => boolean,
  respell: boolean,
): Promise<Attempt> {
  let all: Attempt = { ...NOTHING_TRIED, rejected: [], untried: new Set() }
  let before = 0
  for (const object of work.refused) {
    const first = before
    const one = await attempt({ ...work, refused: [object] }, (row, place) => isChosen(row, first + place), respell)
    all = {
      ...sumOf(all, one),
      rejected: [...all.rejected, ...one.rejected.map(({ row, code }) => ({ row: first + row, code }))],
      untried: new Set([...all.untried, ...[...one.untried].map((place) => first + place)]),
    }
    before += object.rows
  }
  return all
}

/**
 * Rows of several partitions may wait for each other, as two that swap their e-mails, or one for what another one gives
 * up. Those of one key are left: which of them is the newer one is not known.
 */
async function attemptTogether(
  work: Work,
  places: ReadonlySet<number>,
): Promise<(Tried & { readonly landed: ReadonlySet<number> }) | null> {
  const { load } = work.pipeline
  if (work.refused.length < 2 || places.size === 0 || load.by.length === 0) return null
  const columns = bulkColumns(load.target.definition)
  const by = load.by.map((name) => columns.findIndex((column) => column.name === name))
  const keys = Map.groupBy(await rowsAt(work, places), ([, { texts }]) => keyOf(by.map((at) => texts[at] ?? null)))
  const landed = new Set([...keys.values()].flatMap((rows) => (rows.length === 1 ? rows.map(([place]) => place) : [])))
  if (landed.size === 0) return null
  const tried = await attempt(work, (_, place) => landed.has(place), false)
  for (const { row } of tried.rejected) landed.delete(row)
  return { ...tried, landed }
}

async function attempt(
  work: Work,
  isChosen: (row: RefusedRow, place: number) => boolean,
  respell: boolean,
): Promise<Attempt> {
  let places: number[] = []
  let untried = new Set<number>()
  const open = async function* (): AsyncGenerator<CopyBlock> {
    places = []
    untried = new Set()
    const encoder = new BlockEncoder()
    for await (const { place, row } of refusedRows(work)) {
      if (row === null || !isChosen(row, place)) {
        untried.add(place)
        continue
      }
      places.push(place)
      const full = encoder.pushLine(encodeLine(row.texts))
      if (full !== null) yield full
    }
    const rest = encoder.flush()
    if (rest !== null) yield rest
  }
  const { signal } = work.services
  const { advances, partitions, schema } = work.planned
  const isReplay = partitions.some(({ kept }) => kept !== undefined)
  const merged = await loadRows(work.pipeline, { open, isWholeRun: advances, isReplay, respell, schema, signal })
  const rejected = merged.rejected.map(({ row, code }) => ({ row: places[row] as number, code }))
  return { ...merged, rejected, untried }
}
