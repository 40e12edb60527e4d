import { AsyncLocalStorage } from 'node:async_hooks'
import { sql } from 'kysely'
import { after, ascending, type ComparedKey, comparedKey, upTo } from '#dray/active-record/compared-key.ts'
import { columnName, readColumn, tableName, where } from '#dray/active-record/sql.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import type { Text } from '#dray/block/block.ts'
import { decodeBlock } from '#dray/block/copy-text.ts'
import type { Adapter } from '#dray/database/adapter.ts'
import type { FieldKind } from '#dray/database/field-kind.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { GoneRows, liveRows } from '#dray/pipeline/landing/gone-keys.ts'
import { queried } from '#dray/pipeline/landing/queried.ts'
import { streamedSourceKeys } from '#dray/pipeline/landing/source-keys.ts'
import { ownRows } from '#dray/pipeline/plan/source-rows.ts'
import { type SourceTable, sourceTable } from '#dray/pipeline/plan/source-table.ts'
import { ownedRows } from '#dray/pipeline/rows/owned-rows.ts'
import { keyOf } from '#dray/pipeline/texts/canonical.ts'
import { canonicalKey, columnsOf, hasKey, inGroups } from '#dray/pipeline/texts/key-texts.ts'
import type { Bounds } from './range-digests.ts'

/** Kinds that every engine orders, compares and writes alike. */
const WHOLE_NUMBERS: ReadonlySet<FieldKind> = new Set<FieldKind>(['bigint', 'integer'])

/** The keys of a target that its source has not, key range by key range. */
export class ExtraInRanges {
  readonly #pipeline: Pipeline
  readonly #rows: number
  readonly #adapter: Adapter
  readonly #key: ComparedKey
  readonly #source: SourceTable

  private constructor(pipeline: Pipeline, rows: number, target: [Adapter, ComparedKey], source: SourceTable) {
    this.#pipeline = pipeline
    this.#rows = rows
    this.#adapter = target[0]
    this.#key = target[1]
    this.#source = source
  }

  /**
   * Null where the ranges of the two may differ: the keys are no whole numbers, or the target's is not the source's.
   * `rows` is how many keys are read at once.
   */
  static async of(pipeline: Pipeline, rows: number): Promise<ExtraInRanges | null> {
    const { extract, load, deletes } = pipeline
    const own = extract.source.definition.primaryKey
    const columns = columnsOf(load.target.definition, load.goneBy)
    const isWhole = [...own, ...columns].every(({ field }) => WHOLE_NUMBERS.has(field.settings.kind))
    const isTaken = deletes.key.join() === own.map(({ name }) => name).join()
    if (!isWhole || !isTaken || deletes.by.join() !== load.goneBy.join() || own.length !== columns.length) return null
    const source = await extract.source.database.withConnection((connection, adapter) =>
      sourceTable(extract, connection, adapter),
    )
    return load.target.database.withConnection(async (connection, adapter) => {
      const live = await connection.describe(load.target.definition.table)
      return new ExtraInRanges(pipeline, rows, [adapter, comparedKey(adapter, columns, live?.columns ?? [])], source)
    })
  }

  /** What a key is called in a set of keys. */
  nameOf(key: readonly Text[]): string {
    return keyOf(canonicalKey(this.#columns, key))
  }

  /** `known` are keys that the source has in the range, as `nameOf` calls them. */
  async *keys(bounds: Bounds, known: ReadonlySet<string>): AsyncGenerator<readonly Text[]> {
    for (let from = bounds.from; ; ) {
      const page = await this.#page({ from, to: bounds.to })
      const unknown = page.filter((key) => !known.has(this.nameOf(key)))
      // Some may have come to the source since its rows were read, and been loaded.
      const come = await this.#inSource(unknown)
      yield* unknown.filter((key) => !come.has(this.nameOf(key)))
      if (page.length < this.#rows) return
      from = page.at(-1) as string[]
    }
  }

  #page({ from, to }: Bounds): Promise<readonly (readonly Text[])[]> {
    const { database, definition } = this.#pipeline.load.target
    const live = liveRows(this.#pipeline, this.#adapter)
    const conditions = [
      ...(live === null ? [] : [live]),
      ...ownedRows(this.#pipeline, this.#adapter),
      ...this.#columns.map((column) => sql`${columnName(column)} is not null`),
      ...(from === null ? [] : [after(this.#key, from)]),
      ...(to === null ? [] : [upTo(this.#key, to)]),
    ]
    const read = sql.join(this.#columns.map((column) => readColumn(this.#adapter, column)))
    return queried(
      database,
      sql`select ${read} from ${tableName(definition)}${where(conditions)} order by ${ascending(this.#key)} limit ${sql.raw(String(this.#rows))}`,
    )
  }

  get #columns(): readonly ColumnDefinition[] {
    return this.#key.map(({ column }) => column)
  }

  async #inSource(keys: readonly (readonly Text[])[]): Promise<ReadonlySet<string>> {
    const { extract } = this.#pipeline
    const { database, definition } = extract.source
    const { adapter, columns } = this.#source
    const read = sql.join(definition.primaryKey.map((column) => readColumn(adapter, column)))
    const found = new Set<string>()
    for (const group of inGroups(keys)) {
      const isAsked = [...ownRows(extract, this.#source), hasKey(adapter, definition.primaryKey, group, columns)]
      const rows = await queried(database, sql`select ${read} from ${tableName(definition)}${where(isAsked)}`)
      for (const row of rows) found.add(this.nameOf(row))
    }
    return found
  }
}

/**
 * The first keys of a target that its source has not, as the target compares them, and how many there are: all keys of
 * the source are brought there, in one transaction.
 */
export async function extraKeys(
  pipeline: Pipeline,
  most: number,
  signal: AbortSignal,
): Promise<{ readonly keys: readonly (readonly Text[])[]; readonly count: number }> {
  const outside = AsyncLocalStorage.snapshot()
  return pipeline.load.target.database.transaction(async () => {
    // Source and target may be one database, whose transaction waits for these keys.
    const present = () => readWithin(outside, streamedSourceKeys(pipeline))
    const gone = await GoneRows.among(pipeline, present, signal)
    const keys: (readonly Text[])[] = []
    let count = 0
    await gone.copy(async (blocks) => {
      for await (const block of blocks) {
        count += block.rows
        if (keys.length < most) keys.push(...decodeBlock(block).slice(0, most - keys.length))
      }
    }, signal)
    return { keys, count }
  })
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
