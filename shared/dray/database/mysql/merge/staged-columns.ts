import { TerminalError } from '#dray/errors.ts'
import type { MysqlColumn } from '../describe.ts'
import { quote } from '../names.ts'

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
  /** Whether two columns of the target's type and the staged type hold the same, exactly. */
  same(target: string, staged: string): string
  /** The staged value as the target's index can be searched with. */
  searchable(staged: string): string
}

const INTEGERS = new Set(['tinyint', 'smallint', 'mediumint', 'int', 'bigint'])
const BYTES = new Set(['varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob', 'bit', 'vector'])
const SPATIAL = /^(geometry|point|linestring|polygon|multi\w+|geometrycollection|geomcollection)$/
const WHOLE = 'decimal(30,10)'

/** `ENUM`'s and `SET`'s values, as they stand in the type. */
function listOf(type: string): string {
  return type.slice(type.indexOf('('))
}

/** How to stage a column of the target. Throws for a column that cannot be written. */
export function stagedColumnOf(column: MysqlColumn, table: string, isMariaDB: boolean): StagedColumn {
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
    given: isBinary ? notBinary(name) : kind === 'float' || kind === 'double' ? minusZero(name) : null,
    isText: column.collation !== null && kind !== 'enum' && kind !== 'set',
    collation: column.collation,
    nullable: column.nullable,
    same: comparisonOf(column, isMariaDB),
    searchable: (staged: string) => (cast === null ? staged : `CAST(${staged} AS ${cast})`),
  }
  return { ...common, ...typeAndFlaws(column, field, flaw) }
}

const HEX = /^\\x(?:[0-9a-fA-F]{2})*$/

function notBinary(column: string): GivenFlaw {
  return {
    column,
    code: '1366',
    message: 'The value is not binary: hexadecimal behind \\x is expected.',
    condition: (variable) =>
      `${variable} IS NOT NULL AND (LEFT(${variable}, 2) <> _utf8mb4 X'5C78' OR UNHEX(SUBSTR(${variable}, 3)) IS NULL)`,
    refuses: (text) => !HEX.test(text),
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

function typeAndFlaws(
  column: MysqlColumn,
  field: string,
  flaw: (condition: string, code: string, message: string) => Flaw,
): { readonly definition: string; readonly flaws: readonly Flaw[] } {
  const { kind, type, fraction } = column
  const text = column.characterSet === null ? '' : ` CHARACTER SET ${column.characterSet} COLLATE ${column.collation}`
  const whole = flaw(
    `${field} <> TRUNCATE(${field}, 0)`,
    '1265',
    `The value is not a whole number, and ${type} would round it.`,
  )
  if (INTEGERS.has(kind)) return { definition: WHOLE, flaws: [whole] }
  if (kind === 'year') {
    const range = `${field} <> 0 AND ${field} NOT BETWEEN 1901 AND 2155`
    return { definition: WHOLE, flaws: [whole, flaw(range, '1264', 'The value is no year from 1901 to 2155.')] }
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
      definition: `varchar(255)${text}`,
      flaws: [flaw(unknown, '1265', `The value is none of ${listOf(type)}.`)],
    }
  }
  if (kind === 'set') {
    const number = flaw(`${field} REGEXP '^[0-9]+$'`, '1265', `The value is a number, and not of ${listOf(type)}.`)
    return { definition: `varchar(4096)${text}`, flaws: [number] }
  }
  if (kind === 'float' || kind === 'double') {
    const digits = /,(\d+)\)/.exec(type)?.[1]
    const rounded = digits === undefined ? [] : [`${field} <> ROUND(${field}, ${digits})`]
    // A FLOAT holds a value when it is the same, or reads as it was written.
    const single = `CAST(${field} AS FLOAT)`
    const changed =
      kind === 'double' ? [] : [`${single} * 1e0 <> ${field} AND CAST(${single} AS CHAR) * 1e0 <> ${field}`]
    const message = `${type} would round the value.`
    return {
      definition: 'double',
      flaws: [...rounded, ...changed].map((condition) => flaw(condition, '1265', message)),
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
