import { isDouble } from '#dray/database/merge/doubles.ts'
import { TerminalError } from '#dray/errors.ts'
import type { MysqlColumn } from '../describe.ts'
import { quote } from '../names.ts'
import { jsonLoss } from './json-values.ts'

/** What a staged value must not be, since the target would change it without a word. */
export interface Flaw {
  /** True for a bad row of the staging table. */
  readonly condition: string
  readonly code: string
  readonly column: string
  readonly message: string
}

/** What a given text must not be, since not even the staging table would keep it. */
export interface GivenFlaw extends Omit<Flaw, 'condition'> {
  /** True for bad text in an SQL variable. */
  condition(variable: string): string
  refuses(text: string): boolean
}

export type Loss = Pick<Flaw, 'code' | 'message'>

/** How a column of the target is staged: in a type that holds what was given, and says where the target's would not. */
export interface StagedColumn {
  readonly name: string
  readonly definition: string
  /** Given as `\x` and hexadecimal. */
  readonly isBinary: boolean
  /** Text under a collation, where equal is not the same. */
  readonly isText: boolean
  readonly collation: string | null
  readonly nullable: boolean
  readonly flaws: readonly Flaw[]
  readonly given: GivenFlaw | null
  /** Why the target would hold something else than a given text says, and no SQL can tell. */
  readonly lossOf: ((text: string) => Loss | null) | null
  /** Whether two columns of the target's type and the staged type hold the same, exactly. */
  same(target: string, staged: string): string
  /** The staged value as the target's index can be searched with. */
  searchable(staged: string): string
}

/**
 * Each in a number of as many digits and one behind the point: what is longer or longer behind the point gets a
 * warning, so that a row is not much longer than the target's, which MySQL limits.
 */
const INTEGERS: ReadonlyMap<string, string> = new Map([
  ['tinyint', 'decimal(4,1)'],
  ['smallint', 'decimal(6,1)'],
  ['mediumint', 'decimal(9,1)'],
  ['int', 'decimal(11,1)'],
  ['bigint', 'decimal(21,1)'],
])
/** In characters; a longer text is better stored apart from its row. */
const SHORT_TEXT = 10
const BYTES = new Set(['varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob', 'bit', 'vector'])
const MOMENTS = new Set(['datetime', 'timestamp', 'time'])
const MICROSECOND_DIGITS = 6
const DATE_LENGTH = '0000-00-00'.length
const SPATIAL = /^(geometry|point|linestring|polygon|multi\w+|geometrycollection|geomcollection)$/
/** MySQL refuses the statement that casts more to FLOAT. */
const MOST_OF_FLOAT = { mysql: '3.4028234663852886e38', mariadb: '3.4028235e38' }
const YEAR = 'decimal(5,1)'

const MEMBERS = /'(?:[^']|'')*'/g

/** `ENUM`'s and `SET`'s values, as they stand in the type. */
function listOf(type: string): string {
  return type.slice(type.indexOf('('))
}

function membersOf(type: string): readonly string[] {
  return (type.match(MEMBERS) ?? []).map((member) => member.slice(1, -1).replaceAll("''", "'"))
}

/** A type for the longest of the texts. */
function textOf(texts: readonly string[]): string {
  const longest = Math.max(1, ...texts.map((text) => text.length))
  return longest <= SHORT_TEXT ? `varchar(${longest})` : 'text'
}

/**
 * How to stage a column of the target. `isGiven`: its values are texts as they were given, and not what a kind of a
 * model has made of them. Throws for a column that cannot be written.
 */
export function stagedColumnOf(
  column: MysqlColumn,
  table: string,
  isMariaDB: boolean,
  isGiven: boolean = false,
): StagedColumn {
  const { name, kind } = column
  if (column.isGenerated) {
    throw new TerminalError(
      `The column ${name} of ${table} is generated, so nothing can be written to it. Leave it out of the model.`,
    )
  }
  const field = quote(name)
  const flaw = (condition: string, code: string, message: string): Flaw => ({ condition, code, column: name, message })
  const cast = castOf(column)
  const isBinary = BYTES.has(kind) || kind === 'binary' || SPATIAL.test(kind)
  const common = {
    name,
    isBinary,
    given: givenFlaw(column, isBinary, isMariaDB, isGiven),
    lossOf: lossOf(column, isMariaDB, isGiven),
    isText: column.collation !== null && kind !== 'enum' && kind !== 'set',
    collation: column.collation,
    nullable: column.nullable,
    same: comparisonOf(column, isMariaDB),
    searchable: (staged: string) => {
      if (kind === 'timestamp' && !isMariaDB) return withinTimestamp(staged)
      if (cast === null) return staged
      const range = RANGES[cast]
      return range === undefined
        ? `CAST(${staged} AS ${cast})`
        : `CASE WHEN ${staged} ${range} THEN CAST(${staged} AS ${cast}) END`
    },
  }
  return { ...common, ...typeAndFlaws(column, field, flaw, isMariaDB) }
}

/** MariaDB refuses the whole statement that casts another number: no row has such a key. */
const RANGES: Readonly<Partial<Record<string, string>>> = {
  UNSIGNED: '>= 0',
  SIGNED: 'BETWEEN -9223372036854775808 AND 9223372036854775807',
}

/** MySQL refuses the whole statement that looks for a moment in a TIMESTAMP which goes not as far. */
function withinTimestamp(staged: string): string {
  return `CASE WHEN ${staged} BETWEEN TIMESTAMP'1970-01-01 00:00:01' AND TIMESTAMP'2038-01-19 03:14:07.999999' THEN ${staged} END`
}

function lossOf({ kind, type }: MysqlColumn, isMariaDB: boolean, isGiven: boolean): StagedColumn['lossOf'] {
  if (kind === 'json' && !isMariaDB) return lossOfJson
  if (!isGiven || (kind !== 'double' && kind !== 'float')) return null
  const loss = { code: '1265', message: `The value has digits or an exponent for which ${type} has no place.` }
  return (text) => (DECIMAL.test(text) && !isDouble(text) ? loss : null)
}

function lossOfJson(text: string): Loss | null {
  const loss = jsonLoss(text)
  // As MySQL calls JSON that it does not take.
  return loss === null ? null : { code: '3140', message: `In MySQL's JSON ${loss}.` }
}

const DECIMAL = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i

function givenFlaw(
  { name, kind }: MysqlColumn,
  isBinary: boolean,
  isMariaDB: boolean,
  isGiven: boolean,
): GivenFlaw | null {
  if (isBinary) return notBinary(name, kind === 'bit')
  if (kind === 'time' && isGiven) return notClock(name)
  if (kind === 'float' || kind === 'double') return minusZero(name)
  return MOMENTS.has(kind) && !isMariaDB ? roundedMoment(name) : null
}

const HEX = /^\\x(?:[0-9a-fA-F]{2})*$/
const ONE_BIT = /^[01]$/

/** The bytes of a text in hexadecimal behind `\x`, or of a boolean, as SQL. */
export function unhexed(text: string): string {
  return `UNHEX(IF(LENGTH(${text}) = 1, CONCAT('0', ${text}), SUBSTR(${text}, 3)))`
}

/** The same of a text. */
export function bytesOf(text: string): Buffer {
  return Buffer.from(text.length === 1 ? `0${text}` : text.slice(2), 'hex')
}

/** A column of bits takes booleans, too. */
function notBinary(column: string, isBits: boolean): GivenFlaw {
  const isOther = (variable: string) => (isBits ? `${variable} NOT IN ('0', '1') AND ` : '')
  return {
    column,
    code: '1366',
    message: 'The value is not binary: hexadecimal behind \\x is expected.',
    condition: (variable) =>
      `${variable} IS NOT NULL AND ${isOther(variable)}(LEFT(${variable}, 2) <> _utf8mb4 X'5C78' OR UNHEX(SUBSTR(${variable}, 3)) IS NULL)`,
    refuses: (text) => !HEX.test(text) && !(isBits && ONE_BIT.test(text)),
  }
}

const CLOCK = '^[[:space:]]*-?([0-9]+ )?[0-9]{1,3}:[0-9]{1,2}(:[0-9]{1,2}([.][0-9]{0,6}0*)?)?[[:space:]]*$'
const clock = new RegExp(CLOCK.replaceAll('[[:space:]]', '\\s'))

/** Digits alone are seconds, or hours, minutes and seconds, by their number. */
function notClock(column: string): GivenFlaw {
  return {
    column,
    code: '1292',
    message: 'The value is no time of the form 10:00:00, with six digits behind the second at most.',
    condition: (variable) => `${variable} NOT REGEXP '${CLOCK}'`,
    refuses: (text) => !clock.test(text),
  }
}

function minusZero(column: string): GivenFlaw {
  return {
    column,
    code: '1264',
    message: 'The value is −0, which the server would read back as 0.',
    condition: (variable) => `(LEFT(${variable}, 1) = '-' AND ${variable} = 0e0)`,
    refuses: (text) => Object.is(Number(text), -0),
  }
}

/** MySQL rounds to microseconds and applies offsets without a warning. */
function roundedMoment(column: string): GivenFlaw {
  const finer = (text: string) => `SUBSTR(${text}, LOCATE('.', ${text}) + ${MICROSECOND_DIGITS + 1})`
  return {
    column,
    code: '1265',
    message: 'The value has an offset, or digits behind the microsecond, which MySQL would not keep.',
    condition: (variable) =>
      `((LOCATE('.', ${variable}) > 0 AND TRIM('0' FROM ${finer(variable)}) <> '') OR LOCATE('+', ${variable}) > 1 OR LOCATE('-', ${variable}, ${DATE_LENGTH + 1}) > 0)`,
    refuses: (text) => {
      const point = text.indexOf('.')
      const isFiner = point >= 0 && /[^0]/.test(text.slice(point + MICROSECOND_DIGITS + 1))
      return isFiner || text.indexOf('+') > 0 || text.indexOf('-', DATE_LENGTH) > 0
    },
  }
}

function typeAndFlaws(
  column: MysqlColumn,
  field: string,
  flaw: (condition: string, code: string, message: string) => Flaw,
  isMariaDB: boolean,
): { readonly definition: string; readonly flaws: readonly Flaw[] } {
  const { kind, type, fraction } = column
  const text = column.characterSet === null ? '' : ` CHARACTER SET ${column.characterSet} COLLATE ${column.collation}`
  const whole = flaw(
    `${field} <> TRUNCATE(${field}, 0)`,
    '1265',
    `The value is not a whole number, and ${type} would round it.`,
  )
  const integer = INTEGERS.get(kind)
  if (integer !== undefined) return { definition: integer, flaws: [whole] }
  if (kind === 'year') {
    const range = `${field} <> 0 AND ${field} NOT BETWEEN 1901 AND 2155`
    return { definition: YEAR, flaws: [whole, flaw(range, '1264', 'The value is no year from 1901 to 2155.')] }
  }
  if (fraction !== null && kind !== 'date') {
    const unit = 10 ** (6 - fraction)
    const cut = flaw(`MICROSECOND(${field}) % ${unit} <> 0`, '1265', `${type} would cut the fraction of the second.`)
    return { definition: kind === 'time' ? 'time(6)' : 'datetime(6)', flaws: fraction < 6 ? [cut] : [] }
  }
  if (kind === 'char') {
    const padded = `RIGHT(CAST(${field} AS BINARY), 1) = X'20'`
    const message = `${type} would drop the spaces at the end. Use VARCHAR to keep them.`
    return { definition: `var${type}${text}`, flaws: [flaw(padded, '1265', message)] }
  }
  if (kind === 'binary') {
    const size = Number(/\d+/.exec(type)?.[0] ?? 1)
    return {
      definition: `var${type}`,
      flaws: [flaw(`LENGTH(${field}) <> ${size}`, '1265', `${type} would fill the value up with zero bytes.`)],
    }
  }
  if (kind === 'enum') {
    const unknown = `CAST(CONVERT(${field} USING utf8mb4) AS BINARY) NOT IN ${listOf(type)}`
    return {
      definition: `${textOf(membersOf(type))}${text}`,
      flaws: [flaw(unknown, '1265', `The value is none of ${listOf(type)}.`)],
    }
  }
  if (kind === 'set') {
    const number = flaw(`${field} REGEXP '^[0-9]+$'`, '1265', `The value is a number, and not of ${listOf(type)}.`)
    const members = type.match(MEMBERS) ?? []
    const bytes = `CAST(CONVERT(${field} USING utf8mb4) AS BINARY)`
    const found = members.map((member) => `IF(FIND_IN_SET(CAST(${member} AS BINARY), ${bytes}), ${member}, NULL)`)
    // In whatever order: a set has none.
    const other = `CHAR_LENGTH(${field}) <> CHAR_LENGTH(CONCAT_WS(',', ${found.join(', ')}))`
    const written = flaw(other, '1265', `The value is not written with members of ${listOf(type)}, each once.`)
    return { definition: `${textOf([membersOf(type).join()])}${text}`, flaws: [number, written] }
  }
  if (kind === 'float' || kind === 'double') {
    const digits = /,(\d+)\)/.exec(type)?.[1]
    const rounded = digits === undefined ? [] : [`${field} <> ROUND(${field}, ${digits})`]
    const isWithin = `(ABS(${field}) <= ${isMariaDB ? MOST_OF_FLOAT.mariadb : MOST_OF_FLOAT.mysql})`
    // A FLOAT holds a value when it is the same, or reads as it was written.
    const single = `CAST(IF(${isWithin}, ${field}, 0) AS FLOAT)`
    const changed =
      kind === 'double' ? [] : [`${single} * 1e0 <> ${field} AND CAST(${single} AS CHAR) * 1e0 <> ${field}`]
    const isBeyond = flaw(`NOT ${isWithin}`, '1264', `${type} does not go as far as the value.`)
    const message = `${type} would round the value.`
    return {
      definition: 'double',
      flaws: [
        ...(kind === 'double' ? [] : [isBeyond]),
        ...[...rounded, ...changed].map((condition) => flaw(condition, '1265', message)),
      ],
    }
  }
  if (kind === 'json') return { definition: 'longtext CHARACTER SET utf8mb4', flaws: [] }
  return { definition: `${type}${text}`, flaws: [] }
}

function castOf({ kind, type }: MysqlColumn): string | null {
  if (kind === 'float') return 'FLOAT'
  if (kind === 'year') return 'UNSIGNED'
  if (!INTEGERS.has(kind)) return null
  return /unsigned/i.test(type) ? 'UNSIGNED' : 'SIGNED'
}

function comparisonOf(column: MysqlColumn, isMariaDB: boolean): (target: string, staged: string) => string {
  const { kind } = column
  if (kind === 'json' && !isMariaDB) return (target, staged) => `${target} <=> CAST(${staged} AS JSON)`
  if (column.collation !== null && kind !== 'enum' && kind !== 'set') {
    return (target, staged) => `CAST(${target} AS BINARY) <=> CAST(${staged} AS BINARY)`
  }
  if (kind === 'float') return (target, staged) => `${target} <=> CAST(${staged} AS FLOAT)`
  return (target, staged) => `${target} <=> ${staged}`
}
