import { bulkColumns } from '#dray/active-record/bulk.ts'
import type { ColumnDefinition } from '#dray/active-record/table-definition.ts'
import { compareTexts } from '#dray/active-record/value-order.ts'
import type { Text } from '#dray/block/block.ts'
import { ConfigurationError } from '#dray/errors.ts'
import type { HistoryFields } from '#dray/pipeline/declare/loading.ts'
import type { Pipeline } from '#dray/pipeline/declare/pipeline.ts'
import { canonicalText, keyOf } from '#dray/pipeline/texts/canonical.ts'
import { canonicalKey, columnsOf } from '#dray/pipeline/texts/key-texts.ts'

/** The places of the columns of a history in its rows. */
export class HistoryLayout {
  readonly pipeline: Pipeline
  readonly columns: readonly ColumnDefinition[]
  readonly by: readonly ColumnDefinition[]
  readonly fields: HistoryFields
  readonly from: number
  readonly to: number
  readonly current: number | null
  readonly version: number | null
  readonly #keys: readonly number[]
  readonly #compared: readonly number[]

  constructor(pipeline: Pipeline) {
    const { target, by, version, history } = pipeline.load
    if (history === null) throw new ConfigurationError(`${pipeline.name} does not load a history`)
    this.pipeline = pipeline
    this.columns = bulkColumns(target.definition)
    const place = (name: string) => this.columns.findIndex((column) => column.name === name)
    this.fields = history
    this.by = columnsOf(target.definition, by)
    this.#keys = by.map(place)
    this.#compared = history.compare.map(place).filter((at) => at >= 0)
    this.from = place(history.validFrom)
    this.to = place(history.validTo)
    this.current = history.current === null ? null : place(history.current)
    this.version = version === null ? null : place(version)
  }

  get database() {
    return this.pipeline.load.target.database
  }

  column(place: number): ColumnDefinition {
    return this.columns[place] as ColumnDefinition
  }

  keyTexts(row: readonly Text[]): Text[] {
    return this.#keys.map((place) => row[place] ?? null)
  }

  key(row: readonly Text[]): string {
    return keyOf(canonicalKey(this.by, this.keyTexts(row)))
  }

  /** Whether both rows write their key in the same way. */
  isSpelledAlike(one: readonly Text[], other: readonly Text[]): boolean {
    return this.#keys.every((place) => {
      // In which capitals a UUID is written is a matter of its spelling, too.
      if (this.column(place).field.settings.kind === 'uuid') return one[place] === other[place]
      return this.text(one, place) === this.text(other, place)
    })
  }

  text(row: readonly Text[], place: number): Text {
    return canonicalText(this.column(place), row[place] ?? null)
  }

  differs(one: readonly Text[], other: readonly Text[]): boolean {
    return this.#compared.some((place) => this.text(one, place) !== this.text(other, place))
  }

  /** True when the row is older than the version that is known. */
  isOlder(row: readonly Text[], known: readonly Text[]): boolean {
    if (this.version === null) return false
    return this.#isLess(this.version, row, known)
  }

  /** A version cannot begin before the one that it follows, nor with it. */
  beginsLater(row: readonly Text[], known: readonly Text[]): boolean {
    return this.#isLess(this.from, known, row)
  }

  #startingAt(row: readonly Text[]): Text[] {
    const copy = [...row]
    copy[this.to] = row[this.from] ?? null
    return copy
  }

  #isLess(place: number, row: readonly Text[], than: readonly Text[]): boolean {
    const [one, other] = [this.text(row, place), this.text(than, place)]
    return one !== null && other !== null && compareTexts(this.column(place), one, other) < 0
  }

  /** Without an end again. */
  reopened(row: readonly Text[]): Text[] {
    const open = [...row]
    open[this.to] = null
    if (this.current !== null) open[this.current] = '1'
    return open
  }

  /** Never before it began, whatever the clocks of two runs say. */
  closed(row: readonly Text[], at: Text): Text[] {
    const closed = [...row]
    closed[this.to] = at
    if (this.#isLess(this.to, closed, this.#startingAt(row))) closed[this.to] = row[this.from] ?? null
    if (this.current !== null) closed[this.current] = '0'
    return closed
  }
}
