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
  type WantedColumn,
} from '../alterations.ts'
import type { FieldKind } from '../field-kind.ts'
import type { ReadRows } from '../reading.ts'
import { inWriteTransaction } from '../write-transaction.ts'
import { postgresBuilder } from './builder.ts'
import { DEPENDENTS, liveColumn, type TypedColumn } from './live-column.ts'
import { quote, quoteTable } from './names.ts'
import { schema } from './schema.ts'

const EVERYBODY = 'readers and writers wait until it is done'

/** What the catalogue calls the types that CREATE TABLE knows by another name. */
const AS_READ: readonly (readonly [RegExp, string])[] = [
  [/^varchar/, 'character varying'],
  [/^timestamptz$/, 'timestamp with time zone'],
]

/** Types that hold what a kind writes in the same way as the one that it is made as. */
const AS_GOOD: Readonly<Partial<Record<FieldKind, readonly string[]>>> = {
  bigint: ['numeric(20,0)'],
  json: ['jsonb'],
  text: ['citext'],
  varchar: ['citext'],
}

const nothing = { locks: null, unfit: [], lost: null, refused: null }

export const alter: AlterCapabilities = {
  ignoresCase: false,
  isType: (column, liveType) => liveType === asRead(column.type) || (AS_GOOD[column.kind]?.includes(liveType) ?? false),
  isSame: (type, other) => type === other,
  async alterationsOf(rows, table, changes) {
    const made: Alteration[] = []
    for (const change of changes) made.push(...(await alterationsOf(rows, table, change, changes)))
    const [[kind] = []] = await rows('SELECT relkind FROM pg_class WHERE oid = to_regclass($1)', [quoteTable(table)])
    const isTable = kind === undefined || kind === 'r' || kind === 'p'
    const refused = `it is a ${kind === 'f' ? 'foreign table' : 'view'}, which is not altered`
    return isTable ? made : made.map((one) => ({ ...one, refused }))
  },
  whileAltering: (connection, work) =>
    inWriteTransaction(connection, async () => {
      await connection.query(`set local lock_timeout = '${LOCK_SECONDS}s'`)
      return work()
    }),
  // It is held until the transaction ends.
  lockTable: (table) => ({ before: `lock table ${quoteTable(table)} in access exclusive mode`, after: null }),
}

function asRead(type: string): string {
  return AS_READ.reduce((text, [made, read]) => text.replace(made, read), type)
}

async function alterationsOf(
  rows: ReadRows,
  table: string,
  change: Change,
  changes: readonly Change[],
): Promise<Alteration[]> {
  const name = quoteTable(table)
  if (change.kind === 'rename') {
    const sql = [`alter table ${name} rename column ${quote(change.from)} to ${quote(change.to)}`]
    return [{ ...nothing, columns: [change.to], mark: 'safe', what: `renames ${change.from} to ${change.to}`, sql }]
  }
  if (change.kind === 'add') return [added(name, change.column, change.nullable)]
  if (change.kind === 'drop') return [await dropped(rows, table, change.name, hasKey(changes))]
  if (change.kind === 'key') return [await keyed(rows, table, change)]
  const renamed = changes.find((one) => one.kind === 'rename' && one.to === change.column.name)
  const former = renamed?.kind === 'rename' ? renamed.from : change.column.name
  return columnChanged(name, change, await liveColumn(rows, name, former, asRead(change.column.type)))
}

function hasKey(changes: readonly Change[]): boolean {
  return changes.some(({ kind }) => kind === 'key')
}

function added(name: string, column: WantedColumn, nullable: boolean): Alteration {
  const parts = [
    `alter table ${name} add column ${quote(column.name)} ${column.type}`,
    ...(nullable ? [] : ['not null']),
    ...(column.startsAtZero ? ['default 0'] : []),
    ...(column.isGenerated ? [schema.generated] : []),
  ]
  const what = `adds ${column.name} ${column.type}`
  const sql = [parts.join(' ')]
  if (!column.isGenerated) return { ...nothing, columns: [column.name], mark: 'safe', what, sql }
  return { ...nothing, columns: [column.name], mark: 'rewrites', what, sql, locks: EVERYBODY }
}

async function dropped(rows: ReadRows, table: string, column: string, key: boolean): Promise<Alteration> {
  const name = quoteTable(table)
  const found = await rows(DEPENDENTS, [name, column, key ? 'p' : ''])
  const dependents = found.map(([text]) => text).join(', ')
  return {
    ...nothing,
    columns: [column],
    mark: 'loses data',
    what: `drops ${column}`,
    sql: [`alter table ${name} drop column ${quote(column)}`],
    lost: `select count(${quote(column)}) from ${name}`,
    refused: dependents === '' ? null : `${dependents} would be lost with it`,
  }
}

const KEY = "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass($1) AND contype = 'p'"

async function keyed(rows: ReadRows, table: string, change: KeyChange): Promise<Alteration> {
  const name = quoteTable(table)
  const former = (await rows(KEY, [name])).map(([constraint]) => `drop constraint ${quote(constraint ?? '')}`)
  const { sql, parameters } = schema.foreignKeysTo(table).compile(postgresBuilder())
  const referring = former.length === 0 ? [] : await rows(sql, parameters as string[])
  const names = [...new Set(referring.map(([key, , other]) => `the foreign key ${key} of ${other}`))]
  const columns = change.columns.map(quote)
  return {
    columns: change.columns,
    mark: 'rewrites',
    what: keyChanged(change),
    sql: [`alter table ${name} ${[...former, `add primary key (${columns.join(', ')})`].join(', ')}`],
    locks: EVERYBODY,
    unfit: [
      {
        what: `have NULL in the key ${change.columns.join(', ')}`,
        count: `select count(*) from ${name} where ${columns.map((column) => `${column} is null`).join(' or ')}`,
      },
      {
        what: `share a key ${change.columns.join(', ')} with another row`,
        count: `select coalesce(sum(n), 0) from (select count(*) as n from ${name} group by ${columns.join(', ')} having count(*) > 1) same`,
      },
    ],
    lost: null,
    refused:
      names.length === 0 ? null : `${names.join(', ')} needs the former key; drop it first, or give it another key`,
  }
}

function columnChanged(
  name: string,
  { column, liveType, type, nullable, startsAtZero, isGenerated }: ColumnChange,
  live: TypedColumn,
) {
  const made: Alteration[] = []
  const id = quote(column.name)
  const one = { ...nothing, columns: [column.name] }
  const to = asRead(column.type)
  if (type) {
    const mark = markOf(liveType, to)
    const collated = live.collation !== null && TEXTS.includes(sized(to).base) ? ` collate ${live.collation}` : ''
    const sql = [
      `alter table ${name} alter column ${id} type ${column.type}${collated} using ${cast(id, liveType, to)}`,
    ]
    const what = typeChanged(column.name, liveType, to, mark)
    const unfit = mark === 'loses data' ? [unfitRows(name, column.name, liveType, to)] : []
    made.push({ ...one, mark, what, sql, locks: mark === 'safe' ? null : EVERYBODY, unfit, refused: live.refused })
  }
  if (nullable && column.nullable) {
    const undone = live.isOfFilledDomain && !type ? [`alter table ${name} alter column ${id} type ${column.type}`] : []
    const sql = [...undone, `alter table ${name} alter column ${id} drop not null`]
    made.push({ ...one, mark: 'safe', what: `lets ${column.name} be NULL`, sql })
  } else if (nullable) {
    const unfit = [{ what: `are NULL in ${column.name}`, count: `select count(*) from ${name} where ${id} is null` }]
    const sql = [`alter table ${name} alter column ${id} set not null`]
    made.push({ ...one, mark: 'rewrites', what: `makes ${column.name} NOT NULL`, sql, locks: EVERYBODY, unfit })
  }
  if (startsAtZero) {
    const sql = [`alter table ${name} alter column ${id} set default 0`]
    made.push({ ...one, mark: 'safe', what: `gives ${column.name} the default 0`, sql })
  }
  if (isGenerated) {
    const [table, text] = [name, column.name].map((part) => `'${part.replaceAll("'", "''")}'`)
    const sql = [
      `alter table ${name} alter column ${id} add ${schema.generated}`,
      `select setval(pg_get_serial_sequence(${table}, ${text}), coalesce(max(${id}), 0) + 1, false) from ${name}`,
    ]
    made.push({ ...one, mark: 'safe', what: `has ${column.name} numbered by the database`, sql })
  }
  return made
}

interface Sized {
  readonly base: string
  readonly sizes: readonly number[]
}

function sized(type: string): Sized {
  const sizes = /\(([\d,]+)\)/.exec(type)
  const base = type.replace(/\([\d,]+\)/, '')
  return { base, sizes: sizes === null ? [] : (sizes[1] as string).split(',').map(Number) }
}

const DIGITS: Readonly<Record<string, number>> = { smallint: 5, integer: 10, bigint: 19 }
const WHOLE = ['smallint', 'integer', 'bigint']
const NUMBERS = [...WHOLE, 'numeric', 'real', 'double precision']
const ROUNDED = ['real', 'double precision']
const ROUNDED_TO = ['numeric', 'double precision']
const TIMES = ['date', 'timestamp without time zone', 'timestamp with time zone']
const TEXTS = ['text', 'character varying', 'character']
const RANGES: Readonly<Record<string, string>> = {
  smallint: '-32768 and 32767',
  integer: '-2147483648 and 2147483647',
  bigint: '-9223372036854775808 and 9223372036854775807',
}

/** https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES */
function markOf(from: string, to: string): Mark {
  const [one, other] = [sized(from), sized(to)]
  if (TEXTS.includes(one.base) && TEXTS.includes(other.base)) return markOfTexts(one, other)
  if (other.base === 'text') return 'rewrites'
  if (NUMBERS.includes(one.base) && NUMBERS.includes(other.base)) return markOfNumbers(one, other)
  if (TIMES.includes(one.base) && TIMES.includes(other.base)) return markOfTimes(one, other)
  if (one.base === 'boolean' && WHOLE.includes(other.base)) return 'rewrites'
  return 'loses data'
}

function markOfTexts(one: Sized, other: Sized): Mark {
  const isWider = (other.sizes[0] ?? Number.POSITIVE_INFINITY) >= (one.sizes[0] ?? Number.POSITIVE_INFINITY)
  if (!isWider) return 'loses data'
  return one.base === 'character' || other.base === 'character' ? 'rewrites' : 'safe'
}

function markOfNumbers(one: Sized, other: Sized): Mark {
  const [places, isWhole] = [WHOLE.indexOf(one.base), WHOLE.includes(one.base)]
  if (WHOLE.includes(other.base)) return isWhole && WHOLE.indexOf(other.base) >= places ? 'rewrites' : 'loses data'
  if (other.base === 'double precision')
    return ['smallint', 'integer', 'real'].includes(one.base) ? 'rewrites' : 'loses data'
  if (other.base !== 'numeric') return 'loses data'
  const [precision = Number.POSITIVE_INFINITY, scale = 0] = other.sizes
  if (isWhole) return precision - scale >= (DIGITS[one.base] as number) ? 'rewrites' : 'loses data'
  if (one.base !== 'numeric') return 'loses data'
  if (one.sizes.length === 0) return other.sizes.length === 0 ? 'safe' : 'loses data'
  const [former = 0, formerScale = 0] = one.sizes
  if (scale < formerScale || precision - scale < former - formerScale) return 'loses data'
  return scale === formerScale ? 'safe' : 'rewrites'
}

function markOfTimes(one: Sized, other: Sized): Mark {
  if (other.base === 'date') return 'loses data'
  if ((other.sizes[0] ?? 6) < (one.base === 'date' ? 0 : (one.sizes[0] ?? 6))) return 'loses data'
  if (one.base === other.base) return 'safe'
  return other.base === 'timestamp with time zone' ? 'rewrites' : 'loses data'
}

/** A cast that there is between any two types: else by the text. */
function cast(id: string, from: string, to: string): string {
  const [one, other] = [sized(from).base, sized(to).base]
  if (one === 'boolean' && WHOLE.includes(other)) return `${id}::integer::${to}`
  if (WHOLE.includes(one) && other === 'boolean') return `${id} <> 0`
  if (TEXTS.includes(one) && other === 'bytea') return `convert_to(${id}, 'UTF8')`
  // Each reads as what it was: PostgreSQL would cut the digits of these in numeric, and write those of the next type.
  if (ROUNDED.includes(one) && ROUNDED_TO.includes(other)) return `${id}::text::${to}`
  const isFamily = [NUMBERS, TIMES].some((family) => family.includes(one) && family.includes(other))
  return isFamily || TEXTS.includes(one) ? `${id}::${to}` : `${id}::text::${to}`
}

/** Rows with a value that a narrower type would refuse, cut or round. */
function unfitRows(name: string, column: string, from: string, to: string) {
  const id = quote(column)
  const what = `do not fit into ${to} in ${column}`
  return { what, count: `select count(*) from ${name} where ${id} is not null and (${unfit(id, from, to)})` }
}

function unfit(id: string, from: string, to: string): string {
  const { base: one } = sized(from)
  const { base: other, sizes } = sized(to)
  if (TEXTS.includes(other)) return `char_length(${id}::text) > ${sizes[0]}`
  if (other === 'boolean' && WHOLE.includes(one)) return `${id} not in (0, 1)`
  if (other === 'bytea' && TEXTS.includes(one)) return 'false'
  if (NUMBERS.includes(one) && NUMBERS.includes(other)) {
    return unfitNumber(ROUNDED.includes(one) ? `${id}::text::numeric` : `${id}::numeric`, other, sizes)
  }
  if (TIMES.includes(one) && TIMES.includes(other)) return `${id}::${to} <> ${id}`
  const isInvalid = `not pg_input_is_valid(${id}::text, '${to}')`
  if (TIMES.includes(other)) return `case when ${isInvalid} then true else ${id}::text !~* ${momentText(other)} end`
  if (!NUMBERS.includes(other)) return isInvalid
  return `case when ${isInvalid} then true else ${unfitNumber(`${id}::text::numeric`, other, sizes)} end`
}

/** With no more digits than a column keeps, and no word that means another moment each time. */
function momentText(type: string): string {
  const day = '\\d{4,7}-\\d{1,2}-\\d{1,2}'
  const zone = '\\s*(Z|[+-]\\d{2}(:?\\d{2}){0,2})?'
  const time = `[ T]\\d{1,2}:\\d{2}(:\\d{2}(\\.\\d{0,6}0*)?)?${zone}`
  return `'^\\s*(${day}(${type === 'date' ? '[ T]00:00(:00(\\.0+)?)?' : time})?( BC)?|-?infinity)\\s*$'`
}

function unfitNumber(number: string, base: string, [precision, scale = 0]: readonly number[]): string {
  if (base === 'double precision' || base === 'real') return `${number}::${base}::numeric <> ${number}`
  const range = RANGES[base]
  if (range !== undefined) return `${number} <> trunc(${number}) or ${number} not between ${range}`
  if (precision === undefined) return 'false'
  return `round(${number}, ${scale}) <> ${number} or abs(${number}) >= 1e${precision - scale}::numeric`
}
