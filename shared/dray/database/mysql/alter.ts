import {
  type Alteration,
  type AlterCapabilities,
  type Change,
  type ColumnChange,
  type KeyChange,
  keyChanged,
  LOCK_SECONDS,
  type Mark,
  typeChanged,
} from '../alterations.ts'
import { type ColumnClause, tableTextOf, without } from '../column-clause.ts'
import type { FieldKind } from '../field-kind.ts'
import type { ReadRows } from '../reading.ts'
import { tableNameOf } from '../table-name.ts'
import { literal } from './bind-literals.ts'
import { mysqlBuilder } from './builder.ts'
import { quote, quoteTable } from './names.ts'
import { schema } from './schema.ts'

const WRITERS = 'writers wait until it is done'
const nothing = { locks: null, unfit: [], lost: null, refused: null }

/** Types that hold what a kind writes in the same way as the one that it is made as. */
const AS_GOOD: Readonly<Partial<Record<FieldKind, readonly string[]>>> = {
  bigint: ['bigint unsigned'],
  boolean: ['bit(1)'],
  json: ['json'],
  timestamp: ['timestamp(6)'],
  uuid: ['uuid'],
}

export const alter: AlterCapabilities = {
  isType: (column, liveType) =>
    bare(liveType) === column.type || (AS_GOOD[column.kind]?.includes(bare(liveType)) ?? false),
  async alterationsOf(rows, table, changes) {
    const name = quoteTable(table)
    const made: Alteration[] = []
    const text = (await rows(`show create table ${name}`, []))[0]?.[1] ?? ''
    const { columns } = tableTextOf(text, { hasBackslashes: true })
    const key = changes.find((change) => change.kind === 'key')
    for (const change of changes) {
      if (change.kind === 'change') made.push(columnChanged(name, change, clauseOf(columns, change, changes)))
      else if (change.kind === 'key') made.push(await keyed(rows, table, change))
      else if (change.kind === 'drop') made.push(await dropped(rows, table, change.name, key !== undefined))
      else if (change.kind === 'add') made.push(added(name, change, await addsInstantly(rows, table)))
      else made.push(renamed(name, change))
    }
    return made
  },
  async whileAltering(connection, work) {
    const { rows } = await connection.query('select @@lock_wait_timeout')
    await connection.query(`set lock_wait_timeout = ${LOCK_SECONDS}`)
    try {
      return await work()
    } finally {
      await connection.query(`set lock_wait_timeout = ${rows[0]?.[0]}`)
    }
  },
  lockTable: (table) => ({ before: `lock tables ${quoteTable(table)} write`, after: 'unlock tables' }),
}

/** Without the width that numbers are shown in; `tinyint(1)` says that it is a boolean. */
function bare(type: string): string {
  return type
    .replace(/^((?:small|medium|big)?int|tinyint)\((?!1\))\d+\)/, '$1')
    .replace(/^((?:small|medium|big)?int)\(1\)/, '$1')
}

/** The column as the server writes it; its name may be that of before a rename that comes first. */
function clauseOf(
  columns: readonly ColumnClause[],
  { column }: ColumnChange,
  changes: readonly Change[],
): ColumnClause {
  const renamed = changes.find((change) => change.kind === 'rename' && change.to === column.name)
  const name = renamed?.kind === 'rename' ? renamed.from : column.name
  return columns.find((clause) => clause.name === name) ?? { name, type: [], rest: [] }
}

const TEXT = /^(var)?char\b|text\b/i

/** Texts compare byte by byte in what `createTable()` makes, whatever the table's own collation is. */
function collated(type: string): string {
  return TEXT.test(type) ? `${type} character set utf8mb4 collate utf8mb4_bin` : type
}

function renamed(name: string, { from, to }: Extract<Change, { kind: 'rename' }>): Alteration {
  const sql = [`alter table ${name} rename column ${quote(from)} to ${quote(to)}`]
  return { ...nothing, columns: [to], mark: 'safe', what: `renames ${from} to ${to}`, sql }
}

/**
 * Whether a column comes in by the table's description alone.
 * https://dev.mysql.com/doc/refman/8.4/en/innodb-online-ddl-operations.html#online-ddl-column-operations
 */
async function addsInstantly(rows: ReadRows, table: string): Promise<boolean> {
  const { schema: given, name } = tableOf(table)
  const [found] = await rows(
    `select count(*) from information_schema.tables as t
      where ${PLACE(given)} and table_name = ${name} and engine = 'InnoDB' and row_format <> 'Compressed'
        and not exists (select 1 from information_schema.statistics as s
                         where s.table_schema = t.table_schema and s.table_name = t.table_name and s.index_type = 'FULLTEXT')`,
    [],
  )
  return Number(found?.[0]) > 0
}

function added(name: string, change: Extract<Change, { kind: 'add' }>, isInstant: boolean): Alteration {
  const { column, nullable } = change
  const parts = [
    `alter table ${name} add column ${quote(column.name)} ${collated(column.type)} ${nullable ? 'null' : 'not null'}`,
    ...(column.startsAtZero ? ['default 0'] : []),
    ...(column.isGenerated ? ['auto_increment unique'] : []),
  ]
  const one = { ...nothing, columns: [column.name], what: `adds ${column.name} ${column.type}` }
  if (column.isGenerated || !isInstant) return { ...one, mark: 'rewrites', sql: [parts.join(' ')], locks: WRITERS }
  return { ...one, mark: 'safe', sql: [`${parts.join(' ')}, algorithm=instant`] }
}

const PLACE = (column: string) => `table_schema = coalesce(${column}, database())`

async function dropped(rows: ReadRows, table: string, column: string, key: boolean): Promise<Alteration> {
  const [name, id] = [quoteTable(table), quote(column)]
  const whole = tableOf(table)
  const place = `${PLACE(whole.schema)} and table_name = ${whole.name} and column_name = ${literal(column)}`
  const found = await rows(
    `select distinct if(index_name = 'PRIMARY', 'the primary key', concat('the index ', index_name)) from information_schema.statistics
      where ${place} ${key ? "and index_name <> 'PRIMARY'" : ''}
     union select concat('the foreign key ', constraint_name) from information_schema.key_column_usage where ${place} and referenced_table_name is not null`,
    [],
  )
  const dependents = found.map(([text]) => text).join(', ')
  return {
    columns: [column],
    mark: 'loses data',
    what: `drops ${column}`,
    sql: [`alter table ${name} drop column ${id}`],
    locks: null,
    unfit: [],
    lost: `select count(${id}) from ${name}`,
    refused: dependents === '' ? null : `${dependents} would lose it`,
  }
}

function tableOf(table: string): { schema: string; name: string } {
  const { schema: given, name } = tableNameOf(table)
  return { schema: given === null ? 'null' : literal(given), name: literal(name) }
}

async function keyed(rows: ReadRows, table: string, change: KeyChange): Promise<Alteration> {
  const name = quoteTable(table)
  const { sql, parameters } = schema.foreignKeysTo(table).compile(mysqlBuilder())
  const referring = change.former.length === 0 ? [] : await rows(sql, parameters as string[])
  const names = [...new Set(referring.map(([key, , other]) => `the foreign key ${key} of ${other}`))]
  const columns = change.columns.map(quote)
  const drop = change.former.length === 0 ? [] : ['drop primary key']
  return {
    columns: change.columns,
    mark: 'rewrites',
    what: keyChanged(change),
    sql: [`alter table ${name} ${[...drop, `add primary key (${columns.join(', ')})`].join(', ')}`],
    locks: WRITERS,
    unfit: [
      {
        what: `have NULL in the key ${change.columns.join(', ')}`,
        count: `select count(*) from ${name} where ${columns.map((column) => `${column} <=> null`).join(' or ')}`,
      },
      {
        what: `share a key ${change.columns.join(', ')} with another row`,
        count: `select coalesce(sum(n), 0) from (select count(*) as n from ${name} group by ${columns.join(', ')} having count(*) > 1) same`,
      },
    ],
    lost: null,
    refused: names.length === 0 ? null : `${names.join(', ')} may need the former key; drop it first`,
  }
}

/** One MODIFY, which has to say all of the column again. */
function columnChanged(name: string, change: ColumnChange, clause: ColumnClause): Alteration {
  const { column, liveType, type, nullable, startsAtZero, isGenerated } = change
  const id = quote(column.name)
  const from = bare(liveType)
  const typeMark = type ? markOf(from, column.type) : 'safe'
  const what = [
    ...(type ? [typeChanged(column.name, from, column.type, typeMark)] : []),
    ...(nullable ? [column.nullable ? `lets ${column.name} be NULL` : `makes ${column.name} NOT NULL`] : []),
    ...(startsAtZero ? [`gives ${column.name} the default 0`] : []),
    ...(isGenerated ? [`has ${column.name} numbered by the database`] : []),
  ].join(', ')
  const unfit = [
    ...(typeMark === 'loses data'
      ? [
          {
            what: `do not fit into ${column.type} in ${column.name}`,
            count: `select count(*) from ${name} where ${id} is not null and ${unfitValue(id, from, column.type)}`,
          },
        ]
      : []),
    ...(nullable && !column.nullable
      ? [{ what: `are NULL in ${column.name}`, count: `select count(*) from ${name} where ${id} <=> null` }]
      : []),
  ]
  if (startsAtZero && !type && !nullable && !isGenerated) {
    const sql = [`alter table ${name} alter column ${id} set default 0`]
    return { ...nothing, columns: [column.name], mark: 'safe', what, sql }
  }
  const mark = typeMark === 'safe' && (nullable || isGenerated) ? 'rewrites' : typeMark
  const modified = `alter table ${name} modify column ${id} ${definition(change, clause)}`
  const sql = [mark === 'safe' ? `${modified}, algorithm=inplace, lock=none` : modified]
  return { ...nothing, columns: [column.name], mark, what, sql, locks: mark === 'safe' ? null : WRITERS, unfit }
}

function definition({ column, type, startsAtZero, isGenerated }: ColumnChange, clause: ColumnClause): string {
  const keepsText = TEXT.test(clause.type.join(' ')) && TEXT.test(column.type)
  const free = [['default', 'null'], ['not', 'null'], ['null']].reduce((words, run) => without(words, run), clause.rest)
  const isOfText = type && !keepsText
  const rest = isOfText ? without(without(free, ['character', 'set'], 1), ['collate'], 1) : free
  // MariaDB takes nothing behind a CHECK.
  const check = rest.findIndex((word) => /^check$/i.test(word))
  const end = check === -1 ? rest.length : check
  return [
    ...(type ? [keepsText ? column.type : collated(column.type)] : clause.type),
    ...rest.slice(0, end),
    column.nullable ? 'null' : 'not null',
    ...(startsAtZero ? ['default 0'] : []),
    ...(isGenerated ? ['auto_increment'] : []),
    ...rest.slice(end),
  ].join(' ')
}

const WHOLE = ['tinyint', 'smallint', 'mediumint', 'int', 'bigint']
const DIGITS = [3, 5, 8, 10, 19]
const RANGES: Readonly<Record<string, string>> = {
  int: '-2147483648 and 2147483647',
  bigint: '-9223372036854775808 and 9223372036854775807',
}
const TEXTS = ['char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext', 'enum', 'set', 'uuid', 'json']
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

function markOf(from: string, to: string): Mark {
  const [one, other] = [sized(from), sized(to)]
  const both = (family: readonly string[]) => family.includes(one.base) && family.includes(other.base)
  if (both(TEXTS)) return markOfLengths(one, other, 4)
  if (both(BYTES)) return markOfLengths(one, other, 1)
  if (other.base === 'longtext')
    return BYTES.includes(one.base) || one.base === 'float' || one.base === 'bit' ? 'loses data' : 'rewrites'
  if (other.base === 'longblob' && TEXTS.includes(one.base)) return 'rewrites'
  if (both(WHOLE)) return wholeFits(one, other) ? 'rewrites' : 'loses data'
  if (other.base === 'decimal') return decimalFits(one, other) ? 'rewrites' : 'loses data'
  if (other.base === 'double')
    return ['float', 'int', 'mediumint', 'smallint', 'tinyint'].includes(one.base) ? 'rewrites' : 'loses data'
  return ['date', 'datetime', 'timestamp'].includes(one.base) && other.base === 'datetime' ? 'rewrites' : 'loses data'
}

function lengthOf({ base, sizes }: Sized): number {
  return sizes[0] ?? LENGTHS[base] ?? Number.POSITIVE_INFINITY
}

function markOfLengths(one: Sized, other: Sized, bytes: number): Mark {
  if (one.base === 'enum' || one.base === 'set') return other.base === 'longtext' ? 'rewrites' : 'loses data'
  if (lengthOf(other) < lengthOf(one)) return 'loses data'
  if (one.base !== other.base || !one.base.startsWith('var')) return 'rewrites'
  const [former, next] = [lengthOf(one) * bytes, lengthOf(other) * bytes]
  return former <= ONE_BYTE === next <= ONE_BYTE ? 'safe' : 'rewrites'
}

function wholeFits(one: Sized, other: Sized): boolean {
  const [former, next] = [WHOLE.indexOf(one.base), WHOLE.indexOf(other.base)]
  // A tinyint(1) is made for booleans.
  if (other.base === 'tinyint') return false
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

/** A condition that is true for a value that a narrower type would refuse, cut or round. */
function unfitValue(id: string, from: string, to: string): string {
  const { base, sizes } = sized(to)
  const text = BYTES.includes(sized(from).base) ? id : `cast(${id} as char)`
  if (base === 'varchar' || base === 'char') return `char_length(${text}) > ${sizes[0]}`
  if (base === 'varbinary') return `octet_length(${id}) > ${sizes[0]}`
  if (base === 'tinyint') return `${text} not in ('0', '1')`
  if (base === 'longtext') return BYTES.includes(sized(from).base) ? `convert(${id} using utf8mb4) is null` : 'false'
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
  if (base === 'date') return `(cast(${text} as date) is null or cast(${text} as datetime(6)) <> cast(${text} as date))`
  return base === 'datetime' ? `cast(${text} as datetime(6)) is null` : 'false'
}
