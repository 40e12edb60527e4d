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
  readonly #others: readonly number[]

  constructor(pipeline: Pipeline) {
    const { target, goneBy: by, version, history } = pipeline.load
    if (history === null) throw new ConfigurationError(`${pipeline.name} does not load a history`)
    this.pipeline = pipeline
    this.columns = bulkColumns(target.definition)
    const place = (name: string) => this.columns.findIndex((column) => column.name === name)
    this.fields = history
    this.by = columnsOf(target.definition, by)
    this.#keys = by.map(place)
    this.#compared = history.compare.map(place).filter((at) => at >= 0)
    this.#others = history.followsOthers ? this.#placesOutside(history) : []
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

  /** The key of a thing and the start of its version, as one text. */
  versionKey(row: readonly Text[]): string {
    return keyOf([...canonicalKey(this.by, this.keyTexts(row)), this.text(row, this.from)])
  }

  /** The same of a key and a moment. */
  momentKey(key: readonly Text[], moment: Text): string {
    return keyOf([...canonicalKey(this.by, key), canonicalText(this.column(this.from), moment)])
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

  /** Whether they differ in fields that follow the source without making a version. */
  differsElsewhere(one: readonly Text[], other: readonly Text[]): boolean {
    return this.#others.some((place) => this.text(one, place) !== this.text(other, place))
  }

  #placesOutside({ validFrom, validTo, current }: HistoryFields): readonly number[] {
    const own = [validFrom, validTo, current]
    return this.columns.flatMap(({ name, field }, place) => {
      const isOther = !own.includes(name) && !field.settings.isTouched && !this.#keys.includes(place)
      return isOther && !this.#compared.includes(place) ? [place] : []
    })
  }

  /** True for the current version. */
  isOpen(row: readonly Text[]): boolean {
    return (row[this.to] ?? null) === null || this.text(row, this.to) === this.fields.open
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
    open[this.to] = this.fields.open
    if (this.current !== null) open[this.current] = '1'
    return open
  }

  /** With the end that another version has. */
  endedAs(row: readonly Text[], version: readonly Text[]): Text[] {
    return this.ending(row, version[this.to] ?? null)
  }

  /** Until this moment; null for one that goes on. */
  ending(row: readonly Text[], at: Text): Text[] {
    if (at === null) return this.reopened(row)
    const ended = [...row]
    ended[this.to] = at
    if (this.current !== null) ended[this.current] = '0'
    return ended
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
