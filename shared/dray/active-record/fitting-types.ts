import type { Text } from '#dray/block/block.ts'
import type { Adapter, Connection, LiveColumn } from '#dray/database/adapter.ts'
import { quotedTable } from '#dray/database/table-name.ts'
import type { Candidates } from './candidates.ts'
import { decimalWith, type FieldType, fieldOf, typeOf } from './field-type.ts'
import type { AnyField } from './fields.ts'

/** Rows whose values are tried on: a choice by more of them would keep somebody waiting. */
export const MOST_ROWS = 200_000
/** A decimal of no known size has so many digits at least. */
const DIGITS = 38
const FRACTION = 10
const PLAIN_DECIMAL = /^-?(\d*)\.?(\d*)$/

/** What each column is to be declared as: of its candidates the first that holds all values that are there. */
export async function fittingTypes(
  connection: Connection,
  adapter: Adapter,
  table: string,
  columns: readonly LiveColumn[],
  candidates: readonly Candidates[],
): Promise<FieldType[]> {
  const fits = candidates.map((candidate) => new Fit(candidate))
  const open = columns.flatMap((column, place) => (fits[place]?.isOpen ? [{ column, fit: fits[place] as Fit }] : []))
  if (open.length > 0) {
    const names = open.map(({ column }) => adapter.quote(column.name)).join(', ')
    const text = `select ${names} from ${quotedTable(table, adapter.quote)} limit ${MOST_ROWS}`
    for await (const page of connection.stream(text)) {
      for (const row of page) for (const [place, { fit }] of open.entries()) fit.take(row[place] ?? null)
    }
  }
  return fits.map((fit) => fit.chosen)
}

interface Tried {
  readonly type: FieldType
  readonly field: AnyField
}

/** One column's choice. */
class Fit {
  /** Those that hold every value so far, the best first. */
  #fitting: readonly Tried[]
  readonly #isMeasured: boolean
  readonly #isUntyped: boolean
  readonly #candidates: number
  #whole = 0
  #fraction = 0
  #isDecimal = true
  #hasValue = false

  constructor({ types, isMeasured, isUntyped = false }: Candidates) {
    this.#isUntyped = isUntyped
    this.#fitting = types.map((type) => ({ type, field: fieldOf(type) }))
    this.#candidates = types.length
    this.#isMeasured = isMeasured
  }

  get isOpen(): boolean {
    return this.#isMeasured || this.#candidates > 1
  }

  take(text: Text): void {
    if (text === null) return
    this.#hasValue = true
    if (this.#isMeasured) this.#measure(text)
    if (!this.#fitting.every((tried) => holds(tried, text))) {
      this.#fitting = this.#fitting.filter((tried) => holds(tried, text))
    }
  }

  #measure(text: string): void {
    const [whole, ahead = '', behind = ''] = PLAIN_DECIMAL.exec(text) ?? []
    if (whole === undefined || whole === '' || ahead + behind === '') {
      this.#isDecimal &&= /^(?:NaN|-?Infinity)$/.test(text)
      return
    }
    this.#whole = Math.max(this.#whole, ahead.length)
    this.#fraction = Math.max(this.#fraction, behind.length)
  }

  get chosen(): FieldType {
    const type = this.#fitting[0]?.type
    if (!this.#isMeasured) {
      // Nothing but a name speaks for a moment where there is no value, and nothing at all for a number.
      const isGuess = !this.#hasValue && (this.#isUntyped || (this.#candidates === 2 && type?.kind === 'timestamp'))
      return isGuess || type === undefined ? typeOf('text') : type
    }
    if (type !== undefined) return type
    if (!this.#isDecimal) return typeOf('text')
    const scale = Math.max(this.#fraction, FRACTION)
    return decimalWith(Math.max(DIGITS, this.#whole + scale), scale)
  }
}

function holds({ type, field }: Tried, text: string): boolean {
  const { cast, rules } = field.settings
  try {
    // A field takes any document; a target looks into it.
    if (type.kind === 'json') JSON.parse(text)
    const value = cast(text)
    return rules.every((rule) => rule(value) === null)
  } catch {
    return false
  }
}
