import { AsyncLocalStorage } from 'node:async_hooks'
import { sql } from 'kysely'
import { tableName, where } from '#dray/active-record/sql.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import { decodeBlock } from '#dray/block/copy-text.ts'
import { compile } from '#dray/database/statement.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { GoneRows, liveRows } from '#dray/pipeline/landing/gone-keys.ts'
import { streamedSourceKeys } from '#dray/pipeline/landing/source-keys.ts'
import { isKeyDeclaredAlone } from '#dray/pipeline/plan/declared-key.ts'
import { newColumns } from '#dray/pipeline/plan/new-columns.ts'
import { openSourceKeys } from '#dray/pipeline/quarantine/open-keys.ts'
import { withColumns } from '#dray/pipeline/rows/followed-columns.ts'
import { ownedRows, wholeKey } from '#dray/pipeline/rows/owned-rows.ts'
import { RowOrder, type RowPlace } from '#dray/pipeline/rows/row-order.ts'
import { takenOverKey } from '#dray/pipeline/rows/taken-over-key.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { canonicalKey, columnsOf } from '#dray/pipeline/texts/key-texts.ts'
import { hashOfText } from '#dray/pipeline/texts/text-hash.ts'
import type { Services } from '../services.ts'
import { type ExpectedRow, RowComparison } from './compare-rows.ts'
import { type Bounds, RangeDigests } from './range-digests.ts'
import type { ReconcileOptions, Reconciliation, RowDifference } from './reconciliation.ts'
import { type ReadBefore, SourcePages, type SourceRow } from './source-pages.ts'

/**
 * Compares the source, sent through the transform of now, with the target: counts, then key ranges, then rows. Reads
 * only. Left out are rows that the next window is going to read, and rows that wait in the quarantine and are not in
 * the target. Throws `Configuration` for a source without a primary key.
 */
export async function reconcile(
  declared: Pipeline,
  services: Services,
  options: ReconcileOptions = {},
): Promise<Reconciliation> {
  const { columns } = await newColumns(declared)
  const pipeline = withColumns(declared, columns)
  const { source } = pipeline.extract
  if (source.definition.primaryKey.length === 0 || pipeline.load.by.length === 0) {
    throw new ConfigurationError(
      `${pipeline.name}: source and target need a key each to be compared, so nothing was; mark the fields with primaryKey()`,
    )
  }
  const work = new Reconciling(pipeline, await RowComparison.of(pipeline), services, options)
  return work.run()
}

/** Has rows read within another scope than that of whoever takes them. */
function readWithin<T>(
  scope: ReturnType<typeof AsyncLocalStorage.snapshot>,
  rows: AsyncGenerator<T>,
): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => scope(() => rows.next()),
      return: () => scope(() => rows.return(undefined)),
    }),
  }
}

/** A source row that is to be in the target by now, with what the transform makes of it. */
interface Expected extends ExpectedRow {
  readonly row: readonly Text[]
}

const EVERYTHING: Bounds = { from: null, to: null }

class Reconciling {
  readonly #pipeline: Pipeline
  readonly #services: Services
  readonly #deep: boolean
  readonly #rangeRows: number
  readonly #limit: number
  readonly #source: SourcePages
  readonly #comparison: RowComparison
  readonly #isTakenOver: ReturnType<typeof takenOverKey>
  readonly #differences: RowDifference[] = []
  readonly #counts = { missing: 0, extra: 0, different: 0 }
  readonly #leftOut = { filtered: 0, deleted: 0, quarantined: 0, pending: 0 }
  readonly #notes: string[] = []
  #ranges = 0
  #equal = 0
  #compared = 0
  #staleFiltered = 0
  /** Rows that differ and have an open entry. */
  #waiting = 0
  /** Several source rows may be one row of the target. */
  #hasOtherKeys = false
  /** Keys of rows that differ, as hashes. */
  readonly #differing = new Set<number>()
  /** The source's columns that are the target's key. */
  readonly #sourceKey: readonly ColumnDefinition[]
  #keepsKey: boolean
  readonly #wholeKey: (key: readonly Text[]) => readonly Text[]
  #quarantined: ReadonlySet<string> = new Set()
  #before: ReadBefore = { lastRun: null }

  constructor(
    pipeline: Pipeline,
    comparison: RowComparison,
    services: Services,
    { deep, rangeRows, limit }: ReconcileOptions,
  ) {
    this.#pipeline = pipeline
    this.#services = services
    this.#deep = deep ?? false
    this.#rangeRows = rangeRows ?? 2_000
    this.#limit = limit ?? 10_000
    this.#isTakenOver = takenOverKey(pipeline)
    this.#source = new SourcePages(pipeline, this.#rangeRows, services.signal)
    this.#sourceKey = columnsOf(pipeline.extract.source.definition, pipeline.deletes.key)
    this.#keepsKey = pipeline.deletes.key.length === pipeline.deletes.by.length
    this.#wholeKey = wholeKey(pipeline)
    this.#comparison = comparison
  }

  async run(): Promise<Reconciliation> {
    const { extract, load, name } = this.#pipeline
    const state = await this.#services.state.pipeline(name)
    const { database, definition } = extract.source
    const live = await database.withConnection((connection) => connection.describe(definition.table))
    this.#hasOtherKeys = isKeyDeclaredAlone(definition, live)
    this.#before = { lastRun: state?.lastRun ?? null, keysUntil: state?.source?.keysUntil }
    if (extract.cursor !== null && this.#before.lastRun === null) {
      this.#notes.push('the pipeline has no last_run, so every source row is left to its next run')
    }
    if (state?.leaseOwner) {
      this.#notes.push(
        `run ${state.leaseOwner} holds the lease: rows may be on their way, look again when it has ended`,
      )
    }
    const { keys, notes } = await openSourceKeys(this.#pipeline, this.#services)
    this.#quarantined = keys
    this.#notes.push(...notes)
    const digests = this.#deep ? null : await RangeDigests.of(this.#pipeline)
    if (digests !== null && 'reason' in digests) this.#notes.push(digests.reason)
    const rows = digests instanceof RangeDigests ? await this.#byDigest(digests) : await this.#byRow(EVERYTHING)
    if (this.#hasOtherKeys && this.#differing.size > 0) await this.#judgeNewest()
    await this.#findExtra()
    if (this.#staleFiltered > 0) {
      this.#notes.push(`${this.#staleFiltered} rows that the transform leaves out now are in the target from before`)
    }
    if (this.#waiting > 0) {
      this.#notes.push(
        `of the rows that differ ${this.#waiting} have a newer version in the quarantine, which the target has refused`,
      )
    }
    const ofTheRun = this.#comparison.ofTheRun
    if (ofTheRun.length > 0)
      this.#notes.push(`not compared, since they hold the start of a run: ${ofTheRun.join(', ')}`)
    const place = ({ definition }: { definition: { database: string; table: string } }) =>
      `${definition.database}.${definition.table}`
    return {
      pipeline: name,
      source: { table: place(extract.source), rows },
      target: { table: place(load.target), rows: await this.#countTarget() },
      ranges: this.#ranges,
      equalByDigest: this.#equal,
      rowsCompared: this.#compared,
      columns: this.#comparison.columns,
      counts: this.#counts,
      leftOut: this.#leftOut,
      differences: this.#differences,
      notes: this.#notes,
    }
  }

  /** Ranges whose digests differ are read and compared row by row; says how many rows the source has. */
  async #byDigest(digests: RangeDigests): Promise<number> {
    let rows = 0
    for (let bounds = EVERYTHING; ; ) {
      const to = await digests.boundary(bounds.from, this.#rangeRows)
      const range = { from: bounds.from, to }
      const { rows: counted, deleted, same } = await digests.compare(range)
      if (same) {
        rows += counted + deleted
        this.#leftOut.deleted += deleted
        this.#ranges += 1
        this.#equal += 1
      } else rows += await this.#byRow(range)
      if (to === null) return rows
      bounds = { from: to, to: null }
    }
  }

  async #byRow(bounds: Bounds): Promise<number> {
    let rows = 0
    for await (const page of this.#source.pages(bounds, this.#before)) {
      rows += page.length
      this.#ranges += 1
      await this.#compare(page)
    }
    return rows
  }

  /** Of several source rows that are one row of the target, only the newest is to be there. */
  async #judgeNewest(): Promise<void> {
    const order = new RowOrder(this.#pipeline)
    const newest = new Map<string, { readonly one: ExpectedRow; readonly place: RowPlace }>()
    for await (const page of this.#source.pages(EVERYTHING, this.#before)) {
      for (const one of this.#expected(page)) {
        if (one.outcome.kind !== 'loaded' || one.key === null) continue
        const key = keyOf(one.key)
        if (!this.#differing.has(hashOfText(key))) continue
        const place = order.placeOf(one.row, one.outcome.texts)
        const known = newest.get(key)
        if (known === undefined || order.compare(place, known.place) >= 0) newest.set(key, { one, place })
      }
    }
    this.#differences.splice(0, this.#limit, ...this.#differences.filter(({ kind }) => kind === 'extra'))
    Object.assign(this.#counts, { missing: 0, different: 0 })
    this.#waiting = 0
    const found = await this.#comparison.find([...newest.values()].map(({ one }) => one.key as readonly Text[]))
    for (const [key, { one }] of newest) this.#judge(one, found.get(key))
  }

  /** Rows that are to be in the target by now, with what the transform makes of them. */
  #expected(page: readonly SourceRow[]): Expected[] {
    const due = page.filter(({ isPending }) => !isPending)
    return due.map(({ texts }) => ({ row: texts, ...this.#comparison.expect(texts) }))
  }

  async #compare(page: readonly SourceRow[]): Promise<void> {
    const expected = this.#expected(page)
    this.#leftOut.pending += page.length - expected.length
    this.#compared += expected.length
    const { load } = this.#pipeline
    const loaded = new Map<string, ExpectedRow>()
    const filtered: (readonly Text[])[] = []
    const deleted: ExpectedRow[] = []
    for (const one of expected) {
      if (one.key !== null) this.#checkKey(one)
      if (one.outcome.kind === 'loaded') this.#hasOtherKeys ||= !this.#isTakenOver(one.row, one.outcome.texts)
      if (one.outcome.kind === 'quarantined') this.#leftOut.quarantined += 1
      else if (one.outcome.kind === 'filtered') {
        this.#leftOut.filtered += 1
        filtered.push(this.#keyOf(one.row))
      } else if (one.outcome.kind === 'deleted') {
        this.#leftOut.deleted += 1
        deleted.push(one)
      } else if (one.key !== null) loaded.set(keyOf(one.key), one)
    }
    const found = await this.#comparison.find([...loaded.values()].map(({ key }) => key as readonly Text[]))
    for (const [key, one] of loaded) this.#judge(one, found.get(key))
    await this.#findDeleted(deleted)
    if (filtered.length > 0 && this.#keepsKey && load.by.length === load.goneBy.length)
      this.#staleFiltered += (await this.#comparison.find(filtered)).size
  }

  /** Rows of the target of which the source says that they are deleted. */
  async #findDeleted(rows: readonly ExpectedRow[]): Promise<void> {
    if (rows.length === 0) return
    const keys = rows.map(({ key }) => key as readonly Text[])
    const found = await this.#comparison.findLive(keys)
    for (const { key, sourceKey } of rows) {
      if (key === null || !found.has(keyOf(key))) continue
      this.#add({ kind: 'extra', key: this.#named(key), sourceKey, columns: [] })
    }
  }

  #checkKey({ row, key }: Expected): void {
    if (!this.#keepsKey || key === null) return
    const own = this.#pipeline.extract.source.definition.primaryKey
    const isPrimary = own.length === this.#sourceKey.length && own.every((column) => this.#sourceKey.includes(column))
    const part = this.#sourceKey.map(({ index }) => row[index] ?? null)
    const given = this.#wholeKey(canonicalKey(this.#sourceKey, part))
    const by = columnsOf(this.#pipeline.load.target.definition, this.#pipeline.load.goneBy)
    const same = this.#comparison.keyTexts(by.slice(0, given.length), given)
    if (isPrimary && keyOf(same) !== keyOf(key.slice(0, given.length))) this.#keepsKey = false
  }

  /** What a source row has of the target's key. */
  #keyOf(row: readonly Text[]): readonly Text[] {
    return this.#wholeKey(this.#sourceKey.map(({ index }) => row[index] ?? null))
  }

  #judge({ outcome, key, sourceKey }: ExpectedRow, found: readonly Text[] | undefined): void {
    if (outcome.kind !== 'loaded' || key === null) return
    const { update, insert } = this.#pipeline.load
    if (found === undefined ? !insert : update === 'never') return
    const columns = found === undefined ? [] : this.#comparison.differences(outcome.texts, found)
    if (found !== undefined && columns.length === 0) return
    this.#differing.add(hashOfText(keyOf(key)))
    const isWaiting = this.#quarantined.has(keyOf(sourceKey))
    if (found === undefined && isWaiting) {
      this.#leftOut.quarantined += 1
      return
    }
    if (isWaiting) this.#waiting += 1
    this.#add({ kind: found === undefined ? 'missing' : 'different', key: this.#named(key), sourceKey, columns })
  }

  #named(key: readonly Text[]): Record<string, Text> {
    const columns = columnsOf(this.#pipeline.load.target.definition, this.#pipeline.load.by)
    return Object.fromEntries(key.map((text, place) => [columns[place]?.column ?? '', text]))
  }

  #add(difference: RowDifference): void {
    this.#counts[difference.kind] += 1
    if (this.#differences.length < this.#limit) this.#differences.push(difference)
  }

  async #findExtra(): Promise<void> {
    if (!this.#keepsKey) {
      this.#notes.push('extra rows were not looked for: the transform makes new keys, so the keys cannot be compared')
      return
    }
    const { signal } = this.#services
    const outside = AsyncLocalStorage.snapshot()
    await this.#pipeline.load.target.database.transaction(async () => {
      // Source and target may be one database, whose transaction waits for these keys.
      const keys = () => readWithin(outside, streamedSourceKeys(this.#pipeline))
      const gone = await GoneRows.among(this.#pipeline, keys, signal)
      await gone.copy(async (blocks) => {
        for await (const block of blocks) {
          for (const key of decodeBlock(block)) {
            this.#add({ kind: 'extra', key: this.#named(key), sourceKey: null, columns: [] })
          }
        }
      }, signal)
    })
  }

  #countTarget(): Promise<number> {
    const { database, definition } = this.#pipeline.load.target
    return database.withConnection(async (connection, adapter) => {
      const live = liveRows(this.#pipeline, adapter)
      const count = compile(
        adapter,
        sql`select count(*) from ${tableName(definition)}${where([...(live === null ? [] : [live]), ...ownedRows(this.#pipeline, adapter)])}`,
      )
      return Number((await connection.query(count.sql, count.parameters)).rows[0]?.[0])
    })
  }
}
