import type { LiveColumn } from '../adapter.ts'
import { queryColumn, withoutRows } from '../query-columns.ts'
import type { ColumnType, TextColumns } from './values.ts'

const UNSIGNED = 32
const ENUM = 256
const SET = 2048
/** Of UTF8MB4, in which the session asks for texts. */
const BYTES_OF_CHARACTER = 4
/** A VARCHAR of more is kept as a TEXT where a table is made of a query. */
const MOST_CHARACTERS = 16_383
/** A whole number of the length of an INT is one, whatever the code: of a comparison, or a literal. */
const LENGTH_OF_INT = 10

/** https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html */
const TYPES: Readonly<Record<number, (type: ColumnType) => string>> = {
  0: decimal,
  1: (type) => (type.length === 1 ? 'tinyint(1)' : whole('tinyint', type)),
  2: (type) => whole('smallint', type),
  3: (type) => whole('int', type),
  4: () => 'float',
  5: () => 'double',
  6: () => 'varchar(0)',
  7: ({ decimals }) => moment('timestamp', decimals),
  8: (type) => whole(type.length < LENGTH_OF_INT ? 'int' : 'bigint', type),
  9: (type) => whole('mediumint', type),
  10: () => 'date',
  11: ({ decimals }) => moment('time', decimals),
  12: ({ decimals }) => moment('datetime', decimals),
  13: () => 'year',
  14: () => 'date',
  15: varying,
  16: ({ length }) => `bit(${length})`,
  242: () => 'vector',
  245: () => 'json',
  246: decimal,
  247: () => 'enum',
  248: () => 'set',
  249: large,
  250: large,
  251: large,
  252: large,
  253: varying,
  254: fixed,
  255: () => 'geometry',
}

/** The columns of a query, which the server prepares and does not run. */
export async function describeQuery(
  prepare: (sql: string) => Promise<TextColumns>,
  sql: string,
): Promise<readonly LiveColumn[]> {
  const { names, types } = await prepare(withoutRows(sql))
  return names.map((name, place) => queryColumn(name, nameOf(types[place] as ColumnType)))
}

function nameOf(type: ColumnType): string {
  if ((type.flags & ENUM) !== 0) return 'enum'
  if ((type.flags & SET) !== 0) return 'set'
  return TYPES[type.code]?.(type) ?? 'text'
}

function whole(name: string, { flags }: ColumnType): string {
  return (flags & UNSIGNED) === 0 ? name : `${name} unsigned`
}

function decimal({ length, decimals, flags }: ColumnType): string {
  const signs = (decimals > 0 ? 1 : 0) + ((flags & UNSIGNED) === 0 ? 1 : 0)
  return `decimal(${length - signs},${decimals})`
}

function moment(name: string, decimals: number): string {
  return decimals === 0 ? name : `${name}(${decimals})`
}

/** Of a literal NULL the length is 0. */
function fixed({ length, isBytes }: ColumnType): string {
  if (length === 0) return 'varchar(0)'
  return isBytes ? `binary(${length})` : `char(${length / BYTES_OF_CHARACTER})`
}

function varying({ length, isBytes, ...type }: ColumnType): string {
  if (isBytes && length > 0) return `varbinary(${length})`
  const characters = Math.floor(length / BYTES_OF_CHARACTER)
  return characters > MOST_CHARACTERS ? large({ length, isBytes, ...type }) : `varchar(${characters})`
}

/** The server gives the length of a text in characters or in bytes of the session's character set. */
function large({ length, isBytes }: ColumnType): string {
  const kind = isBytes ? 'blob' : 'text'
  const bytes = isBytes ? 1 : BYTES_OF_CHARACTER
  if (length <= 0xff * bytes) return `tiny${kind}`
  if (length <= 0xffff * bytes) return kind
  return length <= 0xff_ffff * bytes ? `medium${kind}` : `long${kind}`
}
