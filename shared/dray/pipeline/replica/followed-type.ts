import { decimalWith, type FieldType, typeOf } from '#dray/active-record/field-type.ts'
import type { Adapter, LiveColumn } from '#dray/database/adapter.ts'
import { holdable, wantedColumn } from '#dray/pipeline/plan/held-types.ts'
import { digitsOf, isWhole, isWider, rangeOf } from '#dray/pipeline/plan/wider-columns.ts'

/** Kinds whose types have sizes. */
const SIZED: readonly FieldType['kind'][] = ['integer', 'bigint', 'decimal', 'text', 'varchar', 'binary']
const OF_TEXT = /char|text|clob/i
const LIST = /^(enum|set)\((.*)\)$/is
const LABEL = /'(?:[^'\\]|''|\\.)*'/gs

/** A type for the source's values and those that are there; null where the column has room for both as it is. */
export function followedType(
  type: FieldType,
  copied: string | undefined,
  live: LiveColumn,
  adapter: Adapter,
): FieldType | null {
  if (copied === undefined) return holdingBoth(holdable(type, adapter), live, adapter)
  if (adapter.schema.liveTypes === null || adapter.alter.isSame(copied, live.type)) return null
  const own = { ...type, native: copied }
  if (isWhole(copied) && isWhole(live.type)) return wholeForBoth(own, live.type)
  if (isWhole(copied) || type.kind === 'integer' || type.kind === 'bigint') {
    return holdingBoth(holdable(type, adapter), live, adapter)
  }
  const [is, was] = [partsOf(copied, adapter), partsOf(live.type, adapter)]
  if (LIST.test(copied) && LIST.test(live.type)) return longerList(own, copied, live.type)
  if (is.base === was.base && !SIZED.includes(type.kind)) return is.size > was.size ? own : null
  if (/^bit\b/.test(is.base) && /^bit\b/.test(was.base)) return is.size > was.size ? own : null
  if (type.kind === 'double') return /^(?:real|float)/.test(was.base) && /^double/.test(is.base) ? own : null
  if (type.kind !== 'text' || OF_TEXT.test(is.base) || OF_TEXT.test(was.base)) return holdingBoth(own, live, adapter)
  // Neither takes the other's texts but by chance.
  return is.base !== was.base || is.size > was.size ? own : null
}

/** The name of a type, and its size: the digits of a fraction of a second where it names none. */
function partsOf(type: string, { stampDigits }: Adapter) {
  const base = type
    .toLowerCase()
    .replace(/\(.*?\)/s, '')
    .trim()
  const size = /\((\d+)\)/.exec(type)?.[1]
  const isOfTime = /^(?:time|interval|datetime)/.test(base)
  return { base, size: size === undefined ? (isOfTime ? stampDigits : Number.POSITIVE_INFINITY) : Number(size) }
}

/** With the labels that are there in their places, since their numbers are what is stored. */
function longerList(own: FieldType, copied: string, live: string): FieldType | null {
  const labelsOf = (type: string): readonly string[] => type.match(LABEL) ?? []
  const [is, was] = [labelsOf(copied), labelsOf(live)]
  const added = is.filter((label) => !was.includes(label))
  return added.length === 0 ? null : { ...own, native: `${LIST.exec(live)?.[1]}(${[...was, ...added].join(',')})` }
}

function holdingBoth(type: FieldType, live: LiveColumn, adapter: Adapter): FieldType | null {
  if (!SIZED.includes(type.kind)) return type.native === undefined ? type : null
  const types = adapter.schema.liveTypes
  const wanted = wantedColumn(live.name, type, adapter)
  const source = { types, column: { ...live, type: wanted.type } }
  const isSignless = /unsigned/i.test(live.type) && !/unsigned/i.test(wanted.type)
  if (!isWider(type.kind, source, { types, column: live }) && !(isSignless && type.kind === 'decimal')) return null
  const there = digitsOf(live)
  if (type.kind !== 'decimal' || type.precision === null || there.whole === Number.POSITIVE_INFINITY) return type
  const scale = Math.max(type.scale ?? 0, there.scale)
  const both = decimalWith(Math.max(type.precision - (type.scale ?? 0), there.whole) + scale, scale)
  if (both.precision === type.precision && both.scale === type.scale) return type
  return adapter.schema.columnFault(both) === null ? both : type
}

/** Numbers below 0 and those of 64 bits without a sign are both in a decimal only. */
function wholeForBoth(own: FieldType & { readonly native: string }, live: string): FieldType | null {
  const [is, was, largest] = [rangeOf(own.native), rangeOf(live), rangeOf('bigint')]
  // Numbers that the database gives stay in 63 bits.
  const most = own.kind === 'decimal' || is.most < largest.most ? is.most : largest.most
  if (is.least >= was.least && most <= was.most) return null
  if (is.least <= was.least && is.most >= was.most) return own
  return most > largest.most ? decimalWith(20, 0) : typeOf('bigint')
}
