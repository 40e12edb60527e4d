import { sql } from 'kysely'
import { tableName, where } from '#dray/active-record/sql.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import { withDeadline } from '#dray/database/deadline.ts'
import { compile } from '#dray/database/statement.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { liveRows } from '#dray/pipeline/landing/gone-keys.ts'
import { ownedRows, wholeKey } from '#dray/pipeline/rows/owned-rows.ts'
import { RowOrder, type RowPlace } from '#dray/pipeline/rows/row-order.ts'
import { takenOverKey } from '#dray/pipeline/rows/taken-over-key.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { canonicalKey, columnsOf, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import { hashOfText } from '#dray/pipeline/texts/text-hash.ts'
import type { PipelineState } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'
import type { ExpectedRow, RowComparison } from './compare-rows.ts'
import { ExtraInRanges, extraKeys } from './extra-rows.ts'
import { type Bounds, RangeDigests } from './range-digests.ts'
import type { ComparisonState, ReconcileOptions, Reconciliation, RowDifference } from './reconciliation.ts'
import { SourcePages, type SourceRow } from './source-pages.ts'

/** A part of a comparison: where it begins, and how long it may take. */
export interface ComparisonPart {
  /** Null for the first. */
  readonly at: ComparisonState | null
  /** In ms. What needs a call to itself is begun where most of this one's time is left. */
  readonly timeLeft: () => number
}

/** A source row that is to be in the target by now, with what the transform makes of it. */
interface Expected extends ExpectedRow {
  readonly row: readonly Text[]
}

interface Verdict {
  /** Null where nothing is wrong, or the row waits in the quarantine. */
  readonly difference: RowDifference | null
  /** It has an open entry, which says why it is not there, or is another one. */
  readonly isWaiting: boolean
}

interface Settings extends ReconcileOptions, ComparisonPart {
  readonly state: ComparisonState
  readonly quarantined: ReadonlySet<string>
}

const EVERYTHING: Bounds = { from: null, to: null }

/** Keys that differ of which the newest row is looked for, in memory. */
const MOST_DIFFERING = 50_000

/** One call of a comparison: its phases, from the one that `state` says. */
export class Reconciling {
  readonly state: ComparisonState
  readonly #pipeline: Pipeline
  readonly #services: Services
  readonly #deep: boolean
  readonly #rangeRows: number
  readonly #limit: number
  readonly #timeLeft: () => number
  readonly #onRows: (rows: number) => void
  readonly #wholeTime: number
  readonly #source: SourcePages
  readonly #comparison: RowComparison
  readonly #isTakenOver: ReturnType<typeof takenOverKey>
  #differing: Set<number> | null
  /** The source's columns that are the target's key. */
  readonly #sourceKey: readonly ColumnDefinition[]
  readonly #wholeKey: (key: readonly Text[]) => readonly Text[]
  readonly #quarantined: ReadonlySet<string>
  #inRanges: ExtraInRanges | null = null
  /** Each call does something, however little time it has. */
  #hasWorked = false

  constructor(pipeline: Pipeline, comparison: RowComparison, services: Services, settings: Settings) {
    const { state, quarantined, timeLeft, deep, rangeRows, limit } = settings
    this.state = state
    this.#pipeline = pipeline
    this.#services = services
    this.#deep = deep ?? false
    this.#rangeRows = rangeRows ?? 2_000
    this.#limit = limit ?? 10_000
    this.#timeLeft = timeLeft
    this.#onRows = settings.onRows ?? (() => {})
    this.#wholeTime = timeLeft()
    this.#isTakenOver = takenOverKey(pipeline)
    this.#source = new SourcePages(pipeline, this.#rangeRows, services.signal)
    this.#sourceKey = columnsOf(pipeline.extract.source.definition, pipeline.deletes.key)
    this.#wholeKey = wholeKey(pipeline)
    this.#comparison = comparison
    this.#differing = state.differing === null ? null : new Set(state.differing)
    this.#quarantined = quarantined
  }

  /** Whether it came to its end. */
  async run(): Promise<boolean> {
    const phases = {
      rows: () => this.#compareRows(),
      newest: () => this.#judgeNewest(),
      extra: () => this.#findExtra(),
      count: () => this.#countTarget(),
      again: () => this.#lookAgain(),
    }
    const names = Object.keys(phases) as (keyof typeof phases)[]
    this.#inRanges = await ExtraInRanges.of(this.#pipeline, this.#rangeRows)
    while (this.state.phase !== 'done') {
      const isPassed = await phases[this.state.phase]()
      this.state.ofTheRun = this.#comparison.ofTheRun
      this.state.differing = this.#differing === null ? null : [...this.#differing]
      if (!isPassed) return false
      this.#hasWorked = true
      this.state.from = null
      this.state.phase = names[names.indexOf(this.state.phase) + 1] ?? 'done'
    }
    return true
  }

  get found(): Reconciliation {
    const { state } = this
    const { name, extract, load } = this.#pipeline
    const place = ({ definition }: { definition: { database: string; table: string } }) =>
      `${definition.database}.${definition.table}`
    return {
      pipeline: name,
      source: { table: place(extract.source), rows: state.sourceRows },
      target: { table: place(load.target), rows: state.targetRows },
      ranges: state.ranges,
      equalByDigest: state.equal,
      rowsCompared: state.compared,
      columns: this.#comparison.columns,
      counts: state.counts,
      leftOut: state.leftOut,
      differences: state.differences,
      notes: [...state.notes, ...this.#closingNotes()],
    }
  }

  #closingNotes(): string[] {
    const { staleFiltered, waiting } = this.state
    const { ofTheRun } = this.#comparison
    return [
      ...(staleFiltered > 0
        ? [`${staleFiltered} rows that the transform leaves out now are in the target from before`]
        : []),
      ...(waiting > 0
        ? [`of the rows that differ ${waiting} have a newer version in the quarantine, which the target has refused`]
        : []),
      ...(ofTheRun.length > 0 ? [`not compared, since they hold the start of a run: ${ofTheRun.join(', ')}`] : []),
    ]
  }

  #note(text: string): void {
    if (!this.state.notes.includes(text)) this.state.notes.push(text)
  }

  get #isTimeUp(): boolean {
    return this.#timeLeft() <= 0
  }

  /** Whether so much of the call has gone that what cannot be divided is better begun in the next one. */
  get #isCallOld(): boolean {
    return this.#hasWorked && this.#timeLeft() < this.#wholeTime / 2
  }

  async #compareRows(): Promise<boolean> {
    const digests = this.#deep ? null : await RangeDigests.of(this.#pipeline)
    if (digests instanceof RangeDigests) return this.#byDigest(digests)
    if (digests !== null) this.#note(digests.reason)
    return this.#byRow({ ...EVERYTHING, from: this.state.from })
  }

  /** Ranges whose digests differ are read and compared row by row. */
  async #byDigest(digests: RangeDigests): Promise<boolean> {
    const { state } = this
    for (;;) {
      const to = await digests.boundary(state.from, this.#rangeRows)
      const range = { from: state.from, to }
      const { rows, deleted, same } = await digests.compare(range)
      if (same) {
        state.sourceRows += rows + deleted
        state.leftOut.deleted += deleted
        state.ranges += 1
        state.equal += 1
      } else if (!(await this.#byRow(range))) return false
      if (to === null) return true
      state.from = to
      this.#onRows(state.sourceRows)
      if (this.#isTimeUp) return false
    }
  }

  async #byRow(bounds: Bounds): Promise<boolean> {
    const { state } = this
    for await (const { rows, to } of this.#source.pages(bounds, state.before)) {
      state.sourceRows += rows.length
      state.ranges += 1
      await this.#compare(rows)
      await this.#findInRange({ from: state.from, to }, rows)
      state.from = to
      this.#onRows(state.sourceRows)
      if (this.#isTimeUp) return false
    }
    if (bounds.to === null || state.from?.join() !== bounds.to.join())
      await this.#findInRange({ from: state.from, to: bounds.to }, [])
    return true
  }

  /** Where the target's ranges are those of the source, extra rows are found with the others. */
  async #findInRange(bounds: Bounds, rows: readonly SourceRow[]): Promise<void> {
    const { state } = this
    const inRanges = this.#inRanges
    if (inRanges === null || !state.keepsKey) return
    const keys = rows.map(({ texts }) => this.#sourceKey.map(({ index }) => texts[index] ?? null))
    const known = new Set(keys.map((key) => inRanges.nameOf(key)))
    for await (const key of inRanges.keys(bounds, known)) {
      state.extraInRanges += 1
      this.#add({ kind: 'extra', key: this.#named(key), sourceKey: null, columns: [] })
    }
  }

  /** Of several source rows that are one row of the target, only the newest is to be there. */
  async #judgeNewest(): Promise<boolean> {
    const { state } = this
    if (!state.hasOtherKeys || this.#differing?.size === 0) return true
    if (this.#differing === null) {
      this.#note(
        `more than ${MOST_DIFFERING} rows differ, and several source rows may be one row of the target, so rows may be among them of which a newer one is there`,
      )
      return true
    }
    const order = new RowOrder(this.#pipeline)
    const newest = new Map<string, { readonly one: Expected; readonly place: RowPlace }>()
    const enter = (rows: readonly Expected[]) => {
      for (const one of rows) {
        if (one.outcome.kind !== 'loaded' || one.key === null) continue
        const key = keyOf(one.key)
        if (!this.#differing?.has(hashOfText(key))) continue
        const place = order.placeOf(one.row, one.outcome.texts)
        const known = newest.get(key)
        if (known === undefined || order.compare(place, known.place) >= 0) newest.set(key, { one, place })
      }
    }
    enter(state.newest.map((row) => this.#expect(row)))
    for await (const { rows, to } of this.#source.pages({ ...EVERYTHING, from: state.from }, state.before)) {
      enter(this.#expected(rows))
      state.from = to
      if (!this.#isTimeUp) continue
      state.newest = [...newest.values()].map(({ one }) => one.row)
      return false
    }
    state.differences = state.differences.filter(({ kind }) => kind === 'extra')
    Object.assign(state.counts, { missing: 0, different: 0 })
    Object.assign(state, { waiting: 0, newest: [] })
    const found = await this.#comparison.find([...newest.values()].map(({ one }) => one.key as readonly Text[]))
    for (const [key, { one }] of newest) this.#judge(one, found.get(key))
    return true
  }

  #expect(row: readonly Text[]): Expected {
    return { row, ...this.#comparison.expect(row) }
  }

  /** Rows that are to be in the target by now, with what the transform makes of them. */
  #expected(page: readonly SourceRow[]): Expected[] {
    return page.filter(({ isPending }) => !isPending).map(({ texts }) => this.#expect(texts))
  }

  async #compare(page: readonly SourceRow[]): Promise<void> {
    const { state } = this
    const expected = this.#expected(page)
    state.leftOut.pending += page.length - expected.length
    state.compared += expected.length
    const { load } = this.#pipeline
    const loaded = new Map<string, ExpectedRow>()
    const filtered: (readonly Text[])[] = []
    const deleted: ExpectedRow[] = []
    for (const one of expected) {
      if (one.key !== null) this.#checkKey(one)
      if (one.outcome.kind === 'loaded') state.hasOtherKeys ||= !this.#isTakenOver(one.row, one.outcome.texts)
      if (one.outcome.kind === 'quarantined') state.leftOut.quarantined += 1
      else if (one.outcome.kind === 'filtered') {
        state.leftOut.filtered += 1
        filtered.push(this.#keyOf(one.row))
      } else if (one.outcome.kind === 'deleted') {
        state.leftOut.deleted += 1
        deleted.push(one)
      } else if (one.key !== null) loaded.set(keyOf(one.key), one)
    }
    const found = await this.#comparison.find([...loaded.values()].map(({ key }) => key as readonly Text[]))
    for (const [key, one] of loaded) this.#judge(one, found.get(key))
    for (const difference of await this.#undeleted(deleted)) this.#add(difference)
    if (filtered.length > 0 && state.keepsKey && load.by.length === load.goneBy.length)
      state.staleFiltered += (await this.#comparison.find(filtered)).size
  }

  /** Rows of the target of which the source says that they are deleted. */
  async #undeleted(rows: readonly ExpectedRow[]): Promise<RowDifference[]> {
    if (rows.length === 0) return []
    const keys = rows.map(({ key }) => key as readonly Text[])
    const found = await this.#comparison.findLive(keys)
    return rows.flatMap(({ key, sourceKey }) => {
      if (key === null || !found.has(keyOf(key))) return []
      return { kind: 'extra', key: this.#named(key), sourceKey, columns: [] } as const
    })
  }

  #checkKey({ row, key }: Expected): void {
    if (!this.state.keepsKey || key === null) return
    const own = this.#pipeline.extract.source.definition.primaryKey
    const isPrimary = own.length === this.#sourceKey.length && own.every((column) => this.#sourceKey.includes(column))
    const part = this.#sourceKey.map(({ index }) => row[index] ?? null)
    const given = this.#wholeKey(canonicalKey(this.#sourceKey, part))
    const by = columnsOf(this.#pipeline.load.target.definition, this.#pipeline.load.goneBy)
    const same = this.#comparison.keyTexts(by.slice(0, given.length), given)
    if (isPrimary && keyOf(same) !== keyOf(key.slice(0, given.length))) this.#forgetExtra()
  }

  /** Of rows with new keys nothing is known by the keys of the source. */
  #forgetExtra(): void {
    const { state } = this
    state.keepsKey = false
    state.counts.extra -= state.extraInRanges
    state.extraInRanges = 0
    state.differences = state.differences.filter(({ kind, sourceKey }) => kind !== 'extra' || sourceKey !== null)
  }

  /** What a source row has of the target's key. */
  #keyOf(row: readonly Text[]): readonly Text[] {
    return this.#wholeKey(this.#sourceKey.map(({ index }) => row[index] ?? null))
  }

  #verdict({ outcome, key, sourceKey }: ExpectedRow, found: readonly Text[] | undefined): Verdict {
    const nothing = { difference: null, isWaiting: false }
    if (outcome.kind !== 'loaded' || key === null) return nothing
    const { update, insert } = this.#pipeline.load
    if (found === undefined ? !insert : update === 'never') return nothing
    const columns = found === undefined ? [] : this.#comparison.differences(outcome.texts, found)
    if (found !== undefined && columns.length === 0) return nothing
    const isWaiting = this.#quarantined.has(keyOf(sourceKey))
    if (found === undefined && isWaiting) return { difference: null, isWaiting }
    const kind = found === undefined ? 'missing' : 'different'
    return { difference: { kind, key: this.#named(key), sourceKey, columns }, isWaiting }
  }

  #judge(one: ExpectedRow, found: readonly Text[] | undefined): void {
    const { difference, isWaiting } = this.#verdict(one, found)
    if ((difference !== null || isWaiting) && one.key !== null) this.#enterDiffering(keyOf(one.key))
    if (difference !== null) this.#add(difference)
    if (!isWaiting) return
    if (difference === null) this.state.leftOut.quarantined += 1
    else this.state.waiting += 1
  }

  #named(key: readonly Text[]): Record<string, Text> {
    const columns = columnsOf(this.#pipeline.load.target.definition, this.#pipeline.load.by)
    return Object.fromEntries(key.map((text, place) => [columns[place]?.column ?? '', text]))
  }

  #add(difference: RowDifference): void {
    this.state.counts[difference.kind] += 1
    if (this.state.differences.length < this.#limit) this.state.differences.push(difference)
  }

  #enterDiffering(key: string): void {
    if (this.#differing === null) return
    this.#differing.add(hashOfText(key))
    if (this.#differing.size > MOST_DIFFERING) this.#differing = null
  }

  async #findExtra(): Promise<boolean> {
    if (!this.state.keepsKey) {
      this.#note('extra rows were not looked for: the transform makes new keys, so the keys cannot be compared')
      return true
    }
    if (this.#inRanges !== null) return true
    if (this.#isCallOld) return false
    const { signal } = this.#services
    const left = Math.max(1, Math.floor(this.#timeLeft()))
    const limited = Number.isFinite(left) ? AbortSignal.any([signal, AbortSignal.timeout(left)]) : signal
    try {
      const { keys, count } = await withDeadline(limited, () => extraKeys(this.#pipeline, this.#limit, limited))
      for (const key of keys) this.#add({ kind: 'extra', key: this.#named(key), sourceKey: null, columns: [] })
      this.state.counts.extra += count - keys.length
    } catch (error) {
      if (!limited.aborted || signal.aborted) throw error
      this.#note(
        `extra rows were not looked for: all keys of the source could not be brought to the target within ${Math.round(left / 1000)} s; \`dray reconcile ${this.#pipeline.name}\` on a machine with more time does`,
      )
    }
    return true
  }

  async #countTarget(): Promise<boolean> {
    if (this.#isCallOld) return false
    const { database, definition } = this.#pipeline.load.target
    this.state.targetRows = await database.withConnection(async (connection, adapter) => {
      const live = liveRows(this.#pipeline, adapter)
      const count = compile(
        adapter,
        sql`select count(*) from ${tableName(definition)}${where([...(live === null ? [] : [live]), ...ownedRows(this.#pipeline, adapter)])}`,
      )
      return Number((await connection.query(count.sql, count.parameters)).rows[0]?.[0])
    })
    return true
  }

  /**
   * Rows that differed are read and compared once more: a run may have loaded them between the two reads, or be going
   * to, since their stamp has moved.
   */
  async #lookAgain(): Promise<boolean> {
    const { state } = this
    if (state.differences.length === 0) return true
    if (this.#isCallOld) return false
    const known = await this.#services.state.pipeline(this.#pipeline.name)
    for (const note of leaseNotes(known)) this.#note(note)
    const again = new Map<RowDifference, RowDifference | null>()
    for (const group of inGroups(state.differences.filter(({ sourceKey }) => sourceKey !== null))) {
      const found = await this.#comparedAgain(group, readBefore(known))
      for (const difference of group) again.set(difference, found.get(keyOf(difference.sourceKey ?? [])) ?? null)
    }
    state.differences = state.differences.flatMap((difference) => {
      const now = again.has(difference) ? (again.get(difference) ?? null) : difference
      state.counts[difference.kind] -= 1
      if (now !== null) state.counts[now.kind] += 1
      return now ?? []
    })
    return true
  }

  /** What is different now of rows that were, by the key of the source. */
  async #comparedAgain(
    differences: readonly RowDifference[],
    before: ComparisonState['before'],
  ): Promise<ReadonlyMap<string, RowDifference>> {
    const keys = differences.map(({ sourceKey }) => sourceKey ?? [])
    const expected = this.#expected(await this.#source.ofKeys(keys, before))
    const loaded = expected.filter(({ outcome, key }) => outcome.kind === 'loaded' && key !== null)
    const found = await this.#comparison.find(loaded.map(({ key }) => key as readonly Text[]))
    const left = [
      ...loaded.flatMap((one) => this.#verdict(one, found.get(keyOf(one.key as readonly Text[]))).difference ?? []),
      ...(await this.#undeleted(expected.filter(({ outcome }) => outcome.kind === 'deleted'))),
    ]
    return new Map(left.map((difference) => [keyOf(difference.sourceKey ?? []), difference]))
  }
}

/** Up to where runs have read. */
export function readBefore(known: PipelineState | null): ComparisonState['before'] {
  return { lastRun: known?.lastRun ?? null, keysUntil: known?.source?.keysUntil }
}

/** A run that holds the pipeline may have rows on their way. */
export function leaseNotes(known: PipelineState | null): string[] {
  if (!known?.leaseOwner) return []
  return [`run ${known.leaseOwner} holds the lease: rows may be on their way, look again when it has ended`]
}
