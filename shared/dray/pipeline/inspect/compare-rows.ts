import { type RawBuilder, sql } from 'kysely'
import { bulkColumns } from '#dray/active-record/bulk.ts'
import { readColumn, tableName, where } from '#dray/active-record/sql.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import { type Timestamp, timestampOf } from '#dray/active-record/values.ts'
import type { Text } from '#dray/block/block.ts'
import type { Adapter } from '#dray/database/adapter.ts'
import { compile } from '#dray/database/statement.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { liveRows } from '#dray/pipeline/landing/gone-keys.ts'
import { isCurrent } from '#dray/pipeline/landing/open-versions.ts'
import { queried } from '#dray/pipeline/landing/queried.ts'
import { isLeftOut, mostWritten, RowSizes } from '#dray/pipeline/rows/large-values.ts'
import type { Outcome } from '#dray/pipeline/rows/outcome.ts'
import { rowTransformer } from '#dray/pipeline/rows/transform-rows.ts'
import { canonicalText, keyOf } from '#dray/pipeline/texts/canonical.ts'
import { bytesOfKey, columnsOf, hasKey, inGroups } from '#dray/pipeline/texts/key-texts.ts'

/** What the transform makes of a source row now. */
export interface ExpectedRow {
  readonly sourceKey: readonly Text[]
  readonly outcome: Outcome
  /** The key in the target, canonical; null unless the row is to be loaded, or deleted. */
  readonly key: readonly Text[] | null
}

/** Two starts of a run: what differs between them is no property of the row. */
const STARTS = ['2001-01-01 00:00:00', '2002-02-02 02:02:02'].map((text) => timestampOf(text)) as [Timestamp, Timestamp]

/**
 * Compares source rows, transformed, with the target's rows of the same keys; value by value, however the engines write
 * them.
 */
export class RowComparison {
  readonly #pipeline: Pipeline
  readonly #columns: readonly ColumnDefinition[]
  readonly #by: readonly ColumnDefinition[]
  readonly #goneBy: readonly ColumnDefinition[]
  readonly #keyPlaces: readonly number[]
  readonly #sourceKey: readonly ColumnDefinition[]
  readonly #compared: Set<number>
  readonly #transforms: readonly ((row: readonly Text[]) => Outcome)[]
  /** Columns that say nothing by the blanks at the end of a text: a `char(10)` that fills it up, or cuts them. */
  readonly #padded: ReadonlySet<ColumnDefinition>
  /** Columns whose value depends on when the run started; known once a row has shown it. */
  readonly #ofTheRun: Set<number>

  /** `ofTheRun` are columns that an earlier part of the comparison has found to be such. */
  static async of(pipeline: Pipeline, ofTheRun: readonly string[] = []): Promise<RowComparison> {
    const { database, definition } = pipeline.load.target
    const padded = await database.withConnection(async (connection, { schema }) => {
      const live = (await connection.describe(definition.table))?.columns ?? []
      const typeOf = (column: string) => live.find(({ name }) => name === column)?.type ?? ''
      return definition.columns.filter(
        ({ column, field }) => schema.spellingOf(field.settings.kind, typeOf(column)) === 'padded',
      )
    })
    return new RowComparison(pipeline, new Set(padded), ofTheRun)
  }

  private constructor(pipeline: Pipeline, padded: ReadonlySet<ColumnDefinition>, ofTheRun: readonly string[]) {
    const { target, by, history } = pipeline.load
    this.#pipeline = pipeline
    this.#padded = padded
    this.#columns = bulkColumns(target.definition)
    this.#by = columnsOf(target.definition, by)
    this.#goneBy = columnsOf(target.definition, pipeline.load.goneBy)
    this.#keyPlaces = this.#by.map((column) => this.#columns.indexOf(column))
    this.#sourceKey = pipeline.extract.source.definition.primaryKey
    const own = history === null ? [] : [history.validFrom, history.validTo, history.current]
    const places = this.#columns.flatMap((column, place) => {
      const isOwn = column.field.settings.isTouched || own.includes(column.name) || this.#by.includes(column)
      const isLeftOut = history !== null && !history.followsOthers && !history.compare.includes(column.name)
      return isOwn || isLeftOut ? [] : [place]
    })
    this.#compared = new Set(places)
    this.#ofTheRun = new Set(places.filter((place) => ofTheRun.includes(this.#nameOf(place))))
    // A transform that changes keys is no fault here.
    this.#transforms = STARTS.map((start) => rowTransformer(pipeline, start, { checksKeys: false }))
  }

  /** The columns that are compared. */
  get columns(): string[] {
    return [...this.#compared].filter((place) => !this.#ofTheRun.has(place)).map((place) => this.#nameOf(place))
  }

  /** Columns that the transform fills with the start of the run: they are not compared. */
  get ofTheRun(): string[] {
    return [...this.#ofTheRun].map((place) => this.#nameOf(place))
  }

  #nameOf(place: number): string {
    return (this.#columns[place] as ColumnDefinition).column
  }

  expect(row: readonly Text[]): ExpectedRow {
    const [first, second] = this.#transforms.map((transform) => transform(row)) as [Outcome, Outcome]
    const sourceKey = this.#sourceKey.map(({ index }) => row[index] ?? null)
    if (first.kind === 'deleted') return { sourceKey, outcome: first, key: this.keyTexts(this.#goneBy, first.key) }
    if (first.kind !== 'loaded') return { sourceKey, outcome: first, key: null }
    if (second.kind === 'loaded') {
      for (const place of this.#compared) if (first.texts[place] !== second.texts[place]) this.#ofTheRun.add(place)
    }
    const key = this.keyTexts(
      this.#by,
      this.#keyPlaces.map((place) => first.texts[place] ?? null),
    )
    return { sourceKey, outcome: first, key }
  }

  /** The target's rows of these keys, by their canonical key; of a history by the run's time the current ones. */
  async find(keys: readonly (readonly Text[])[]): Promise<Map<string, readonly Text[]>> {
    const { database, definition } = this.#pipeline.load.target
    const found = new Map<string, readonly Text[]>()
    await database.withConnection(async (connection, adapter) => {
      const live = await connection.describe(definition.table)
      const table = { adapter, columns: live?.columns ?? [] }
      const sizes = new RowSizes(this.#columns, table, this.#pipeline.limits)
      const read = sizes.columnsUpTo(mostWritten(this.#pipeline.limits), this.#by)
      for (const group of inGroups(keys)) {
        const statement = compile(
          adapter,
          sql`select ${sql.join(read)} from ${tableName(definition)}
            where ${hasKey(adapter, this.#by, group, table.columns)}${this.#currentOnly(adapter)}`,
        )
        const { rows } = await connection.query(statement.sql, statement.parameters)
        for (const row of rows) found.set(this.#keyOf(row), row)
      }
    })
    return found
  }

  /** Of these keys of rows that are deleted those of which the target has a row that is not, as canonical texts. */
  async findLive(keys: readonly (readonly Text[])[]): Promise<ReadonlySet<string>> {
    const { database, definition } = this.#pipeline.load.target
    const live = await bytesOfKey(this.#pipeline.load.target, this.#goneBy)
    const adapter = await database.adapter()
    const isLive = liveRows(this.#pipeline, adapter)
    const read = sql.join(this.#goneBy.map((column) => readColumn(adapter, column)))
    const found = new Set<string>()
    for (const group of inGroups(keys)) {
      const conditions = [hasKey(adapter, this.#goneBy, group, live), ...(isLive === null ? [] : [isLive])]
      const rows = await queried(database, sql`select ${read} from ${tableName(definition)}${where(conditions)}`)
      for (const row of rows) found.add(keyOf(this.keyTexts(this.#goneBy, row)))
    }
    return found
  }

  #currentOnly(adapter: Adapter): RawBuilder<unknown> {
    const { load } = this.#pipeline
    // A row of the source says when it holds from, so its own version is known.
    if (load.history === null || load.history.time === 'source') return sql``
    return sql` and ${isCurrent(adapter, load)}`
  }

  #keyOf(row: readonly Text[]): string {
    return keyOf(
      this.keyTexts(
        this.#by,
        this.#keyPlaces.map((place) => row[place] ?? null),
      ),
    )
  }

  /** The names of the columns in which the rows differ. */
  differences(expected: readonly Text[], found: readonly Text[]): string[] {
    return [...this.#compared]
      .filter((place) => !this.#ofTheRun.has(place))
      .filter(
        (place) =>
          isLeftOut(found, this.#columns, place) || this.#canonical(place, expected) !== this.#canonical(place, found),
      )
      .map((place) => this.#nameOf(place))
  }

  #canonical(place: number, row: readonly Text[]): Text {
    return this.#textOf(this.#columns[place] as ColumnDefinition, row[place] ?? null)
  }

  /** The texts of a key of the target, the same for each way to write it. */
  keyTexts(columns: readonly ColumnDefinition[], texts: readonly Text[]): Text[] {
    return columns.map((column, place) => this.#textOf(column, texts[place] ?? null))
  }

  #textOf(column: ColumnDefinition, text: Text): Text {
    const canonical = canonicalText(column, text)
    return this.#padded.has(column) ? (canonical?.replace(/ +$/, '') ?? null) : canonical
  }
}
