import type { Mark } from '../alterations.ts'

const WHOLE = ['tinyint', 'smallint', 'mediumint', 'int', 'bigint']
const DIGITS = [3, 5, 8, 10, 19]
const RANGES: Readonly<Record<string, string>> = {
  int: '-2147483648 and 2147483647',
  bigint: '-9223372036854775808 and 9223372036854775807',
}
const TEXTS = ['char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext', 'enum', 'set', 'uuid', 'json']
const LISTS = ['enum', 'set']
const BYTES = ['binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob']
/** In characters, of four bytes at most. */
const LENGTHS: Readonly<Record<string, number>> = { uuid: 36, tinytext: 255, text: 65_535, mediumtext: 16_777_215 }
/** Up to so many bytes one byte says how long a value is, beyond it two: each row is written anew. */
const ONE_BYTE = 255

interface Sized {
  readonly base: string
  readonly sizes: readonly number[]
  readonly isUnsigned: boolean
}

function sized(type: string): Sized {
  const sizes = /\(([\d,]+)\)/.exec(type)
  return {
    base: /^\w+/.exec(type)?.[0].toLowerCase() ?? '',
    sizes: sizes === null ? [] : (sizes[1] as string).split(',').map(Number),
    isUnsigned: /unsigned/i.test(type),
  }
}

/** What a change from one type to another does to the rows. `bytes`: those that a character of the column may need. */
export function markOf(from: string, to: string, bytes: number): Mark {
  const [one, other] = [sized(from), sized(to)]
  const both = (family: readonly string[]) => family.includes(one.base) && family.includes(other.base)
  if (LISTS.includes(one.base) && one.base === other.base) return markOfLists(one.base, from, to)
  if (both(TEXTS)) return markOfLengths(one, other, bytes)
  if (both(BYTES)) return markOfLengths(one, other, 1)
  if (other.base === 'longtext')
    return BYTES.includes(one.base) || one.base === 'float' || one.base === 'bit' ? 'loses data' : 'rewrites'
  if (other.base === 'longblob' && TEXTS.includes(one.base)) return 'rewrites'
  if (both(WHOLE)) return wholeFits(one, other) ? 'rewrites' : 'loses data'
  if (other.base === 'decimal') return decimalFits(one, other) ? 'rewrites' : 'loses data'
  if (other.base === 'double')
    return ['double', 'float', 'int', 'mediumint', 'smallint', 'tinyint'].includes(one.base) ? 'rewrites' : 'loses data'
  if (['time', 'timestamp', 'bit'].includes(one.base) && one.base === other.base) {
    return (other.sizes[0] ?? 0) >= (one.sizes[0] ?? 0) ? 'rewrites' : 'loses data'
  }
  const isMoment = ['date', 'datetime', 'timestamp'].includes(one.base) && other.base === 'datetime'
  return isMoment && (other.sizes[0] ?? 0) >= (one.sizes[0] ?? 0) ? 'rewrites' : 'loses data'
}

const LABELS = /'(?:[^'\\]|''|\\.)*'/gs

/** A value is the number of its label, of so many bytes as the number of labels needs. */
function markOfLists(base: string, from: string, to: string): Mark {
  const [former, next] = [from.match(LABELS) ?? [], to.match(LABELS) ?? []]
  if (!former.every((label, place) => next[place] === label)) return 'loses data'
  const bytes = (count: number) => (base === 'enum' ? (count > 255 ? 2 : 1) : Math.ceil(count / 8))
  return bytes(former.length) === bytes(next.length) ? 'safe' : 'rewrites'
}

function lengthOf({ base, sizes }: Sized): number {
  return sizes[0] ?? LENGTHS[base] ?? Number.POSITIVE_INFINITY
}

function markOfLengths(one: Sized, other: Sized, bytes: number): Mark {
  if (LISTS.includes(one.base)) return other.base === 'longtext' ? 'rewrites' : 'loses data'
  if (lengthOf(other) < lengthOf(one)) return 'loses data'
  // CHAR gives no blanks back that stand at the end.
  if (other.base === 'char' && one.base !== 'char' && one.base !== 'uuid') return 'loses data'
  if (one.base !== other.base || !one.base.startsWith('var')) return 'rewrites'
  const [former, next] = [lengthOf(one) * bytes, lengthOf(other) * bytes]
  return former <= ONE_BYTE === next <= ONE_BYTE ? 'safe' : 'rewrites'
}

function wholeFits(one: Sized, other: Sized): boolean {
  const [former, next] = [WHOLE.indexOf(one.base), WHOLE.indexOf(other.base)]
  // A tinyint(1) is made for booleans.
  if (other.base === 'tinyint') return false
  if (other.isUnsigned) return one.isUnsigned && next >= former
  if (one.isUnsigned) return next > former
  return next >= former
}

function decimalFits(one: Sized, { sizes: [precision = 10, scale = 0] }: Sized): boolean {
  const whole = WHOLE.indexOf(one.base)
  if (whole !== -1) return precision - scale >= (DIGITS[whole] as number) + 1
  const [former = 10, formerScale = 0] = one.sizes
  return one.base === 'decimal' && scale >= formerScale && precision - scale >= former - formerScale
}

const WHOLE_TEXT = "'^[+-]?[0-9]+$'"
const NUMBER_TEXT = "'^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)$'"
/** Without an offset, and with no more digits than a column keeps. */
const MOMENT_TEXT = "'^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([ T][0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}([.][0-9]{0,6}0*)?)?)?$'"

/** A condition that is true for a value that a narrower type would refuse, cut or round. */
export function unfitValue(id: string, from: string, to: string): string {
  const { base, sizes } = sized(to)
  const isBytes = BYTES.includes(sized(from).base)
  const text = isBytes ? `convert(${id} using utf8mb4)` : `cast(${id} as char)`
  // MySQL makes NULL of bytes that are no text, MariaDB question marks.
  const noText = `not (cast(convert(${id} using utf8mb4) as binary) <=> cast(${id} as binary))`
  const orNoText = isBytes ? ` or ${noText}` : ''
  if (base === 'char') return `(char_length(${text}) > ${sizes[0]} or ${text} like '% '${orNoText})`
  if (base === 'varchar') return `(char_length(${text}) > ${sizes[0]}${orNoText})`
  if (base === 'varbinary') return `octet_length(${id}) > ${sizes[0]}`
  if (base === 'tinyint') return `${text} not in ('0', '1')`
  if (base === 'longtext') return isBytes ? noText : 'false'
  const number = `cast(${text} as decimal(65,20))`
  const ifNumber = (unfit: string) => `case when ${text} not regexp ${NUMBER_TEXT} then true else ${unfit} end`
  if (WHOLE.includes(base)) {
    return `case when ${text} not regexp ${WHOLE_TEXT} then ${ifNumber(`${number} <> truncate(${number}, 0)`)} else ${number} not between ${RANGES[base]} end`
  }
  if (base === 'decimal') {
    return ifNumber(
      `round(${number}, ${sizes[1]}) <> ${number} or abs(${number}) >= 1${'0'.repeat((sizes[0] ?? 0) - (sizes[1] ?? 0))}`,
    )
  }
  if (base === 'double') return ifNumber(`cast(cast(${text} as double) as decimal(65,20)) <> ${number}`)
  const ifMoment = (unfit: string) => `case when ${text} not regexp ${MOMENT_TEXT} then true else ${unfit} end`
  if (base === 'date') {
    return ifMoment(`(cast(${text} as date) is null or cast(${text} as datetime(6)) <> cast(${text} as date))`)
  }
  return base === 'datetime' ? ifMoment(`cast(${text} as datetime(6)) is null`) : 'false'
}
