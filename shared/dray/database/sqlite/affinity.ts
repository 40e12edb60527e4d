import { isDouble } from '#dray/database/merge/doubles.ts'

/**
 * How SQLite converts what is stored into a column:
 * https://www.sqlite.org/datatype3.html#determination_of_column_affinity
 */
export type Affinity = 'INTEGER' | 'TEXT' | 'BLOB' | 'REAL' | 'NUMERIC'

export function affinityOf(declared: string): Affinity {
  const type = declared.toUpperCase()
  if (type.includes('INT')) return 'INTEGER'
  if (/CHAR|CLOB|TEXT/.test(type)) return 'TEXT'
  if (type.includes('BLOB') || type === '') return 'BLOB'
  if (/REAL|FLOA|DOUB/.test(type)) return 'REAL'
  return 'NUMERIC'
}

export interface Storable {
  readonly value: string | number | Uint8Array
  /** Why the column cannot hold the text exactly. */
  readonly refusal: string | null
}

const INTEGER = /^[+-]?\d+$/
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const NEGATIVE_ZERO = /^-(?:0+\.?0*|\.0+)(?:[eE][+-]?\d+)?$/
const HEXADECIMAL = /^\\x(?:[0-9a-f]{2})*$/i
const MAX = 9223372036854775807n
/** Doubles hold every decimal of so many digits. */
const EXACT_DIGITS = 15
/** So short that it has no more, and without an exponent, which may be beyond a double. */
const PLAIN = /^[^eE]{0,15}$/

const kept = (value: string | number | Uint8Array): Storable => ({ value, refusal: null })
const refused = (value: string, refusal: string): Storable => ({ value, refusal })

/** Binds a text to a column so that it is stored as it is, or says why it cannot be. */
export function storable(text: string, affinity: Affinity, declared: string): Storable {
  switch (affinity) {
    case 'TEXT':
      return kept(text)
    case 'BLOB':
      return declared !== '' && HEXADECIMAL.test(text) ? kept(Buffer.from(text.slice(2), 'hex')) : kept(text)
    case 'INTEGER':
      return integer(text)
    default:
      return real(text, affinity)
  }
}

const CANONICAL = /^(?:0|-?[1-9]\d*)$/
const NUMERAL = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/
/** Types that say of themselves that they hold numbers: `1.50` and `1.5` are one of them. */
const OF_NUMBERS = /NUM|DEC|BOOL/i

/**
 * Binds any text. SQLite makes a number of one that reads as such in a column whose type it does not know (`STRING`,
 * `JSON`, `DATETIME`): where that reads back as another text, the column cannot hold it.
 */
export function storableText(text: string, affinity: Affinity, declared: string): Storable {
  if (affinity !== 'NUMERIC' || OF_NUMBERS.test(declared)) return storable(text, affinity, declared)
  if (!NUMERAL.test(text)) return kept(text)
  const isKept = CANONICAL.test(text)
    ? integer(text).refusal === null
    : text.length <= EXACT_DIGITS && String(Number(text)) === text
  if (isKept) return kept(text)
  return refused(text, `is a text that ${declared} would store as another number (declare the column as TEXT)`)
}

/** SQLite itself would store other text as text, and larger integers as rounded reals. */
function integer(text: string): Storable {
  if (!INTEGER.test(text)) return refused(text, 'is not an integer')
  if (text.length < 19) return kept(text)
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text)
  return value > MAX || value < -MAX - 1n ? refused(text, 'does not fit into 64 bits') : kept(text)
}

function real(text: string, affinity: Affinity): Storable {
  if (text === 'Infinity') return kept(Number.POSITIVE_INFINITY)
  if (text === '-Infinity') return kept(Number.NEGATIVE_INFINITY)
  if (NEGATIVE_ZERO.test(text)) return refused(text, 'is −0, which SQLite would store as 0')
  if (PLAIN.test(text) || !DECIMAL.test(text)) return kept(text)
  if (affinity === 'NUMERIC' && INTEGER.test(text)) return integer(text)
  if (isDouble(text)) return kept(text)
  return refused(text, 'has more digits than a double holds (declare the column as TEXT)')
}
