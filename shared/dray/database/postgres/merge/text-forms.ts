import { type Fits, fitsDecimal } from '#dray/database/merge/fitting-rows.ts'

/** How a text has to be written so that a column of a type says the same, and no other value. */
export interface TextForm {
  /** A condition that is true for a text, given as SQL, which the column would store as another value. */
  loses(text: string): string
  /** Whether a field is sure to be kept; not given where only the server can tell. */
  readonly fits?: Fits
}

const DAY = '(\\d{8}|\\d{4,}-\\d{1,2}-\\d{1,2})'
const OFFSET = 'Z|[+-]\\d\\d(:?\\d\\d(:?\\d\\d)?)?'
const MICROSECONDS = 6
const EVER = '-?infinity'

const WHOLE = '[+-]?\\d+'
const NUMERAL = '[+-]?(\\d+\\.?\\d*|\\.\\d+)(e[+-]?\\d{1,4})?'
const NO_NUMBER = 'NaN|[+-]?inf(inity)?'
const TRUTH = 't|true|f|false|y|yes|n|no|on|off|1|0'
/** In the locale C, which the session has. */
const MONEY = '-?\\$?-?(\\d+|\\d{1,3}(,\\d{3})+)(\\.\\d{0,2}0*)?'

/**
 * By the type: the server would also read `now`, which is another moment each time, days and months in an order that is
 * a setting's, `0x10` as 16, `tr` as true; and drop an offset, or the time of a date.
 */
const PATTERNS: ReadonlyMap<string, (digits: number) => string> = new Map<string, (digits: number) => string>([
  ['date', () => `${DAY}( BC)?|${EVER}`],
  ['timestamp', (digits) => `${DAY}([ T]${timeOf(digits)})?( BC)?|${EVER}`],
  ['timestamptz', (digits) => `${DAY}([ T]${timeOf(digits)}(${OFFSET})?)?( BC)?|${EVER}`],
  ['time', (digits) => timeOf(digits)],
  ['timetz', (digits) => `${timeOf(digits)}(${OFFSET})`],
  ['int2', () => WHOLE],
  ['int4', () => WHOLE],
  ['int8', () => WHOLE],
  ['numeric', () => `${NUMERAL}|${NO_NUMBER}`],
  ['float4', () => `${NUMERAL}|${NO_NUMBER}`],
  ['float8', () => `${NUMERAL}|${NO_NUMBER}`],
  ['bool', () => TRUTH],
  ['money', () => MONEY],
])

const RANGES: ReadonlyMap<string, string> = new Map([
  ['int4range', 'int4'],
  ['int8range', 'int8'],
  ['numrange', 'numeric'],
  ['daterange', 'date'],
  ['tsrange', 'timestamp'],
  ['tstzrange', 'timestamptz'],
])
const SHAPES = new Set(['point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle'])
const DOUBLES = new Set(['float8', ...SHAPES])

function timeOf(digits: number): string {
  return `\\d\\d:\\d\\d(:\\d\\d(\\.\\d{0,${digits}}0*)?)?`
}

/** The form of texts for a column of this type, of the server's own ones; null where it keeps whatever it takes. */
export function textFormOf(type: string, modifier: number): TextForm | null {
  const element = type.replace(/^_/, '')
  const digits = modifier < 0 ? MICROSECONDS : modifier
  if (element === 'interval') return type === element ? { loses: (text) => losesInterval(text, modifier) } : null
  if (element === 'bpchar') return type === element && modifier >= 0 ? filled(modifier - 4) : null
  const pattern = patternOf(type, element, digits)
  const changes = [
    ...(pattern === null ? [] : [(text: string) => `${text} !~* '^\\s*(${pattern})\\s*$'`]),
    ...(DOUBLES.has(element) ? [(text: string) => losesDigits(text, 'float8')] : []),
    ...(element === 'float4' ? [(text: string) => losesDigits(text, 'float4')] : []),
  ]
  if (changes.length === 0) return null
  const fits = FITS.get(type)
  return {
    // The first condition keeps the others from what is not written in that form.
    loses: (text) => `CASE ${changes.map((loses) => `WHEN ${loses(text)} THEN true`).join(' ')} ELSE false END`,
    ...(fits === undefined ? {} : { fits }),
  }
}

function patternOf(type: string, element: string, digits: number): string | null {
  const own = PATTERNS.get(element)?.(digits)
  if (own !== undefined) return type === element ? own : arrayOf(own)
  const bound = PATTERNS.get(RANGES.get(element) ?? '')?.(digits)
  if (bound === undefined || type !== element) return null
  const end = `(${bound}|"(${bound})")?`
  return `empty|(\\[|\\()${end},${end}(\\]|\\))`
}

/** Whatever its dimensions. */
function arrayOf(element: string): string {
  return `(\\[[0-9:+-]+\\])*=?[{]([{},\\s]|NULL|${element}|"(${element})")*[}]`
}

/** Digits alone stand for seconds, and what is finer than a microsecond is rounded. */
function losesInterval(text: string, modifier: number): string {
  // The precision is in the low half, all of whose bits are set where there is none.
  const precision = modifier < 0 ? 0xffff : modifier & 0xffff
  const digits = precision === 0xffff ? MICROSECONDS : precision
  return `(${text} ~ '^\\s*[+-]?[0-9.]*\\s*$' OR ${text} ~ '[.]\\d{${digits}}\\d*[1-9]')`
}

/** Filled up with spaces, which do not count; but it cuts those that it has no place for. */
function filled(length: number): TextForm {
  return { loses: (text) => `char_length(${text}) > ${length}` }
}

/** Whether a number in the text is none that reads as it is written, once it is stored. */
function losesDigits(text: string, type: string): string {
  const numbers = `regexp_matches(${text}, '([+-]?(\\d+\\.?\\d*|\\.\\d+)(e[+-]?\\d+)?)', 'gi') AS n`
  const kept = `n[1]::${type}`
  // A real holds what is the same, or what reads as it is written.
  const other = `${kept}::text::numeric <> n[1]::numeric AND ${kept}::float8::text::numeric <> n[1]::numeric`
  return `EXISTS (SELECT 1 FROM ${numbers} WHERE ${other})`
}

/** Doubles give so many digits back. */
const EXACT_DIGITS = 15
const isDecimal = fitsDecimal(Number.POSITIVE_INFINITY)
const isWhole = fitsDecimal(-1)

const FITS: ReadonlyMap<string, Fits> = new Map<string, Fits>([
  ['int2', isWhole],
  ['int4', isWhole],
  ['int8', isWhole],
  ['numeric', isDecimal],
  ['float8', (bytes, from, to) => to - from <= EXACT_DIGITS && isDecimal(bytes, from, to)],
  ['bool', (bytes, from, to) => /^(?:t|true|f|false|1|0)$/.test(bytes.toString('latin1', from, to))],
])
