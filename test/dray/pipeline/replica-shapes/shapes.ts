import type { ValueDatabase } from '#test/contracts/value-databases.ts'
import { type Engine, type Form, type Speech, speechOf } from '#test/contracts/values.ts'
import { long } from '#test/long.ts'

/** A column as a source has it; `value` is a literal of its SQL, another one for each row. */
interface Column {
  readonly name: string
  readonly form: Form
  readonly type: string
  readonly isNullable: boolean
  readonly value: (row: number) => string
}

/** A table of the source, made and filled by the database's own SQL. */
export interface Shape {
  readonly table: string
  readonly columns: readonly Column[]
  /** None where the table has no primary key. */
  readonly key: readonly string[]
  readonly unique: readonly string[]
  readonly rows: number
  /** One of a shape that there is already. */
  readonly isCopy: boolean
  /** A moment that each change moves on, with an index. */
  readonly cursor: string | null
}

type Types = Readonly<Partial<Record<Speech, string>>>
type Value = (row: number, speech: Speech) => string

const same = (type: string): Types => ({ postgres: type, mysql: type, sqlite: type })
const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`
const pad = (number: number, digits: number) => String(number).padStart(digits, '0')
/** Digits that look random and are the same each time. */
const mixed = (row: number) => (row * 2654435761) % 4294967296
const uuidOf = (row: number) => `${pad(mixed(row) % 1e8, 8)}-0000-4000-8000-${pad(row, 12)}`
const day = (row: number) => `${2000 + (row % 25)}-${pad(1 + (row % 12), 2)}-${pad(1 + (row % 28), 2)}`
const moment = (row: number) =>
  `${day(row)} ${pad(row % 24, 2)}:${pad(row % 60, 2)}:07.${pad(mixed(row) % 1_000_000, 6)}`
const bytes = (speech: Speech, hex: string) => (speech === 'postgres' ? `'\\x${hex}'::bytea` : `X'${hex}'`)
const WORDS = [
  "O'Brien",
  'Ünïcödé',
  '日本語',
  '😀 emoji',
  '',
  ' ',
  'NULL',
  '\\N',
  'a\\tb',
  'tab\there',
  'two\nlines',
  '%s"q"',
]
const word = (row: number, speech: Speech) => {
  const text = `${WORDS[row % WORDS.length]}${row % 3 === 0 ? '' : row}`
  return speech === 'mysql' ? `CONVERT(X'${Buffer.from(text).toString('hex') || ''}' USING utf8mb4)` : quoted(text)
}

const KINDS = {
  bigint: {
    form: 'integer',
    types: { postgres: 'bigint', mysql: 'bigint', sqlite: 'INTEGER' },
    value: (row) => `${row}`,
  },
  farther: { form: 'integer', types: same('bigint'), value: (row) => `${9_007_199_254_740_993n + BigInt(row)}` },
  small: { form: 'integer', types: same('smallint'), value: (row) => `${(row % 60_000) - 30_000}` },
  unsigned: {
    form: 'integer',
    types: { mysql: 'bigint unsigned' },
    value: (row) => `${18_446_744_073_709_551_615n - BigInt(row)}`,
  },
  boolean: {
    form: 'boolean',
    types: { postgres: 'boolean', mysql: 'tinyint(1)', sqlite: 'BOOLEAN' },
    value: (row, speech) => (speech === 'sqlite' ? `${row % 2}` : row % 2 === 0 ? 'false' : 'true'),
  },
  decimal: {
    form: 'decimal',
    types: { postgres: 'numeric(12,3)', mysql: 'decimal(12,3)', sqlite: 'DECIMAL_TEXT(12,3)' },
    value: (row, speech) => (speech === 'sqlite' ? `'${row}.125'` : `${row}.125`),
  },
  wide: {
    form: 'decimal',
    types: { postgres: 'numeric(38,18)', mysql: 'decimal(38,18)' },
    value: (row) => `-${row}12345678901234.000000000000000001`,
  },
  unbounded: {
    form: 'decimal',
    types: { postgres: 'numeric' },
    value: (row) => `${row}${'1234567890'.repeat(5)}.${'0123456789'.repeat(4)}5`,
  },
  double: {
    form: 'double',
    types: { postgres: 'double precision', mysql: 'double', sqlite: 'REAL' },
    value: (row) => `${row}.1`,
  },
  real: { form: 'single', types: { postgres: 'real', mysql: 'float' }, value: (row) => `${row % 1000}.25` },
  varchar: { form: 'text', types: same('varchar(60)'), value: word },
  text: { form: 'text', types: { postgres: 'text', mysql: 'longtext', sqlite: 'TEXT' }, value: word },
  long: {
    form: 'text',
    types: { postgres: 'text', mysql: 'mediumtext', sqlite: 'TEXT' },
    value: (row) => quoted(`${row} `.repeat(1 + (row % 700))),
  },
  char: { form: 'padded', types: same('char(8)'), value: (row) => quoted(`c${row}`.slice(0, 8)) },
  date: { form: 'date', types: { postgres: 'date', mysql: 'date', sqlite: 'DATE' }, value: (row) => `'${day(row)}'` },
  moment: {
    form: 'moment',
    types: { postgres: 'timestamptz', mysql: 'timestamp(6)', sqlite: 'TIMESTAMP' },
    value: (row, speech) => `'${moment(row)}${speech === 'postgres' ? '+00' : ''}'`,
  },
  local: {
    form: 'moment',
    types: { postgres: 'timestamp', mysql: 'datetime(6)', sqlite: 'DATETIME' },
    value: (row) => `'${moment(row)}'`,
  },
  time: {
    form: 'text',
    types: { postgres: 'time', mysql: 'time', sqlite: 'TEXT' },
    value: (row) => `'${pad(row % 24, 2)}:${pad(row % 60, 2)}:01'`,
  },
  binary: {
    form: 'binary',
    types: { postgres: 'bytea', mysql: 'varbinary(200)', sqlite: 'BLOB' },
    value: (row, speech) => bytes(speech, pad(row, 8)),
  },
  uuid: {
    form: 'uuid',
    types: { postgres: 'uuid', mysql: 'char(36)', sqlite: 'TEXT' },
    value: (row) => `'${uuidOf(row)}'`,
  },
  json: {
    form: 'text',
    types: { postgres: 'json', mysql: 'json', sqlite: 'TEXT' },
    value: (row) => `'{"row": ${row}, "of": [1, "a"]}'`,
  },
  jsonb: { form: 'text', types: { postgres: 'jsonb' }, value: (row) => `'{"b": 1, "a": ${row}.50}'` },
  array: { form: 'text', types: { postgres: 'text[]' }, value: (row) => `array['a b', 'c"d', null, '${row}']` },
  enum: {
    form: 'text',
    types: { postgres: 'mood', mysql: "enum('ok','it''s')" },
    value: (row) => (row % 2 === 0 ? "'ok'" : "'it''s'"),
  },
  interval: { form: 'text', types: { postgres: 'interval' }, value: (row) => `'${row} days 01:02:03'` },
  set: {
    form: 'text',
    types: { mysql: "set('a','b','c')" },
    value: (row) => ["'a'", "'a,c'", "''"][row % 3] as string,
  },
  year: { form: 'integer', types: { mysql: 'year' }, value: (row) => `${1970 + (row % 100)}` },
} as const satisfies Readonly<Record<string, { form: Form; types: Types; value: Value }>>

type KindName = keyof typeof KINDS

interface Drawn {
  readonly table: string
  readonly columns: Readonly<Record<string, KindName>>
  readonly key?: readonly string[]
  readonly unique?: readonly string[]
  readonly rows?: number
  readonly cursor?: string
}

const ALL = Object.keys(KINDS) as KindName[]
/** A column of each kind that the engine has. */
const everything = Object.fromEntries(ALL.map((kind) => [`of_${kind}`, kind]))

const DRAWN: readonly Drawn[] = [
  {
    table: 'orders',
    columns: { id: 'bigint', ...everything, updated_at: 'moment' },
    key: ['id'],
    rows: 300,
    cursor: 'updated_at',
  },
  { table: 'everything', columns: { id: 'bigint', ...everything }, key: ['id'], rows: 200 },
  { table: 'empty', columns: { id: 'bigint', ...everything }, key: ['id'], rows: 0 },
  { table: 'one', columns: { id: 'bigint', name: 'varchar' }, key: ['id'], rows: 1 },
  {
    table: 'many',
    columns: { id: 'bigint', name: 'varchar', amount: 'decimal' },
    key: ['id'],
    rows: long ? 1_000_000 : 5_000,
  },
  { table: 'farther', columns: { id: 'farther', name: 'text' }, key: ['id'] },
  { table: 'lines', columns: { order_id: 'bigint', place: 'small', amount: 'decimal' }, key: ['order_id', 'place'] },
  { table: 'turned', columns: { name: 'text', b: 'bigint', a: 'small' }, key: ['a', 'b'] },
  { table: 'by_text', columns: { code: 'char', name: 'text' }, key: ['code'] },
  { table: 'by_varchar', columns: { code: 'varchar', place: 'bigint', name: 'text' }, key: ['code', 'place'] },
  { table: 'by_uuid', columns: { id: 'uuid', name: 'text' }, key: ['id'] },
  { table: 'by_day', columns: { at: 'date', id: 'bigint', name: 'text' }, key: ['at', 'id'] },
  { table: 'by_decimal', columns: { id: 'decimal', name: 'text' }, key: ['id'] },
  { table: 'by_bytes', columns: { id: 'binary', name: 'text' }, key: ['id'] },
  { table: 'three_part_key', columns: { a: 'bigint', b: 'uuid', c: 'date', d: 'text' }, key: ['a', 'b', 'c'] },
  { table: 'keyless', columns: { at: 'moment', what: 'text' } },
  { table: 'keyless_empty', columns: { at: 'moment', what: 'text' }, rows: 0 },
  { table: 'unique_only', columns: { code: 'bigint', name: 'text' }, unique: ['code'] },
  { table: 'with_dates', columns: { id: 'bigint', a: 'date', b: 'moment', c: 'local', d: 'time' }, key: ['id'] },
  {
    table: 'with_numbers',
    columns: { id: 'bigint', a: 'double', b: 'real', c: 'decimal', d: 'wide', e: 'unbounded', f: 'unsigned' },
    key: ['id'],
  },
  {
    table: 'with_documents',
    columns: { id: 'bigint', a: 'json', b: 'jsonb', c: 'array', d: 'interval', e: 'enum', f: 'set' },
    key: ['id'],
  },
  { table: 'with_long_texts', columns: { id: 'bigint', a: 'long', b: 'text' }, key: ['id'] },
  { table: 'Mixed Case', columns: { Id: 'bigint', 'Full Name': 'text' }, key: ['Id'] },
  { table: 'with.dot', columns: { id: 'bigint', 'a.b': 'text' }, key: ['id'] },
  { table: 'ünïcode', columns: { schlüssel: 'bigint', größe: 'text' }, key: ['schlüssel'] },
  { table: 'quo"te', columns: { id: 'bigint', 'a"b': 'text', "it's": 'text' }, key: ['id'] },
  { table: 'select', columns: { from: 'bigint', where: 'text', order: 'text' }, key: ['from'] },
  { table: 'a-b%c', columns: { id: 'bigint', 'x y': 'text', '100%': 'double' }, key: ['id'] },
  {
    table: 'members',
    columns: Object.fromEntries(
      ['then', 'constructor', 'save', '__proto__', 'toString'].map((name) => [
        name,
        name === 'then' ? 'bigint' : 'text',
      ]),
    ),
    key: ['then'],
  },
  {
    table: `a_table_with_a_name_of_sixty_characters_which_is_nearly_most`,
    columns: { id: 'bigint', [`c${'o'.repeat(61)}`]: 'text' },
    key: ['id'],
  },
  { table: 'one_column', columns: { id: 'bigint' }, key: ['id'] },
  { table: 'only_keys', columns: { a: 'bigint', b: 'uuid' }, key: ['a', 'b'] },
  {
    table: 'wide',
    columns: Object.fromEntries([
      ['id', 'bigint'],
      ...Array.from({ length: 150 }, (_, place) => [`c_${place}`, ALL[place % ALL.length]]),
    ]),
    key: ['id'],
    rows: 20,
  },
  { table: 'changed_by_local', columns: { id: 'bigint', updated_at: 'local' }, key: ['id'], cursor: 'updated_at' },
  { table: 'nullable_cursor', columns: { id: 'bigint', name: 'text', modified_at: 'moment' }, key: ['id'] },
  {
    table: 'Orders2',
    columns: { OrderId: 'bigint', CustomerName: 'text', updated_at: 'moment' },
    key: ['OrderId'],
    cursor: 'updated_at',
  },
  { table: 'numbers_as_names', columns: { '1': 'bigint', '2nd': 'text' }, key: ['1'] },
  { table: 'blobs', columns: { id: 'bigint', a: 'binary', b: 'boolean' }, key: ['id'] },
  { table: 'chars', columns: { id: 'bigint', a: 'char', b: 'varchar' }, key: ['id'] },
  { table: 'flags', columns: { id: 'bigint', a: 'boolean', b: 'boolean' }, key: ['id'] },
]

/** The long form has 320 tables. */
const COPIES = long ? 8 : 1

/** The shapes as an engine has them: without columns of types that it has not. */
export function shapesOf(engine: Engine, rows = 40): readonly Shape[] {
  const speech = speechOf(engine)
  const drawn = DRAWN.flatMap((one) =>
    Array.from({ length: COPIES }, (_, copy) =>
      copy === 0
        ? { ...one, isCopy: false }
        : { ...one, isCopy: true, table: `${one.table.slice(0, 50)}_${copy + 1}`, rows: (one.rows ?? 40) && 20 + copy },
    ),
  )
  return drawn.map(({ table, isCopy, columns, key = [], unique = [], cursor, ...drawn }) => ({
    table,
    isCopy,
    key,
    unique,
    cursor: cursor ?? null,
    rows: drawn.rows ?? rows,
    columns: Object.entries(columns).flatMap(([name, kind]): Column[] => {
      const { form, types, value } = KINDS[kind] as { form: Form; types: Types; value: Value }
      const type = types[speech]
      if (type === undefined) return []
      const isNullable = !key.includes(name) && !unique.includes(name) && name !== cursor
      return [{ name, form, type, isNullable, value: (row) => value(row, speech) }]
    }),
  }))
}

const ROWS_AT_ONCE = 500
/** More are made of these by the database, and compared by a sum. */
const MANY_ROWS = 10_000

/** Makes and fills the table; every seventh row has NULL where it may. */
export async function makeShape(database: ValueDatabase, shape: Shape): Promise<void> {
  const speech = speechOf(database.engine)
  const { quote } = database
  const columns = shape.columns.map(({ name, type, isNullable }) => {
    const null_ = isNullable ? (speech === 'mysql' && type.startsWith('timestamp') ? ' null' : '') : ' not null'
    return `${quote(name)} ${type}${null_}`
  })
  const list = (names: readonly string[]) => names.map(quote).join(', ')
  const key = shape.key.length === 0 ? [] : [`primary key (${list(shape.key)})`]
  const unique = shape.unique.length === 0 ? [] : [`unique (${list(shape.unique)})`]
  await database.run(`create table ${quote(shape.table)} (${[...columns, ...key, ...unique].join(', ')})`)
  if (shape.cursor !== null) {
    await database.run(`create index ${quote(`by_${shape.table}`)} on ${quote(shape.table)} (${quote(shape.cursor)})`)
  }
  const written = Math.min(shape.rows, MANY_ROWS)
  for (let from = 1; from <= written; from += ROWS_AT_ONCE) {
    const until = Math.min(from + ROWS_AT_ONCE - 1, written)
    await insertRows(database, shape, from, until)
  }
  for (let there = written; there < shape.rows; there *= 2) await addAsMany(database, shape, there)
}

/** The same rows under the next numbers. */
async function addAsMany({ quote, run }: ValueDatabase, { table, columns, key, rows }: Shape, there: number) {
  const number = quote(key[0] as string)
  const values = columns.map(({ name }) => (name === key[0] ? `${number} + ${there}` : quote(name))).join(', ')
  await run(`insert into ${quote(table)} select ${values} from ${quote(table)} where ${number} <= ${rows - there}`)
}

export async function insertRows(database: ValueDatabase, shape: Shape, from: number, until: number): Promise<void> {
  const rows: string[] = []
  for (let row = from; row <= until; row++)
    rows.push(`(${shape.columns.map((column) => cell(column, row)).join(', ')})`)
  if (rows.length > 0) await database.run(`insert into ${database.quote(shape.table)} values ${rows.join(', ')}`)
}

const NOW: Readonly<Record<Speech, string>> = {
  postgres: 'now()',
  mysql: 'utc_timestamp(6)',
  sqlite: "strftime('%Y-%m-%d %H:%M:%f', 'now')",
}

/** Puts five more rows into a table and takes two away, others in each round; what is new is stamped as of now. */
export async function changeShape(database: ValueDatabase, shape: Shape, round: number): Promise<void> {
  if (shape.rows < 10) return
  const { quote, engine } = database
  const table = quote(shape.table)
  const isKey = ({ name }: Column) => shape.key.includes(name) || shape.unique.includes(name)
  const key = shape.columns.find(isKey) ?? (shape.columns[0] as Column)
  const bytes = (text: string) =>
    speechOf(engine) === 'mysql' && key.form === 'text' ? `cast(${text} as binary)` : text
  const is = (row: number) => `${bytes(quote(key.name))} = ${bytes(key.value(row))}`
  const first = shape.rows + 1 + 5 * round
  await insertRows(database, shape, first, first + 4)
  if (shape.key.length > 0)
    await database.run(`delete from ${table} where ${is(3 + 2 * round)} or ${is(4 + 2 * round)}`)
  if (shape.cursor === null) return
  for (let row = first; row < first + 5; row++) {
    await database.run(`update ${table} set ${quote(shape.cursor)} = ${NOW[speechOf(engine)]} where ${is(row)}`)
  }
}

function cell({ isNullable, value }: Column, row: number): string {
  return isNullable && row % 7 === 0 ? 'NULL' : value(row)
}

/** The columns whose values differ, each with one that the source has alone and one that the target has. */
export async function unlikeColumns(
  source: ValueDatabase,
  target: ValueDatabase,
  table: string,
  shape: Shape,
): Promise<readonly string[]> {
  const texts = async (database: ValueDatabase, place: string, { name, form }: Column) => {
    const rows = await database.rows(`select ${database.canonical(form, database.quote(name))} from ${place}`)
    return new Set(rows.map(([text]) => String(text).slice(0, 40)))
  }
  const unlike: string[] = []
  for (const column of shape.columns) {
    const [there, here] = [await texts(source, source.quote(shape.table), column), await texts(target, table, column)]
    const [lost] = [...there].filter((text) => !here.has(text))
    const [made] = [...here].filter((text) => !there.has(text))
    if (lost !== undefined || made !== undefined) unlike.push(`${column.name}: ${lost} became ${made}`)
  }
  return unlike
}

/** Every row of a table as its database writes it down, sorted, whatever its key; of a large one their sum. */
export async function digestsOf(
  database: ValueDatabase,
  table: string,
  shape: Shape,
  where = '1 = 1',
): Promise<readonly string[]> {
  const texts = shape.columns.map(({ name, form }) => {
    const text = database.canonical(form, database.quote(name))
    const compared = form === 'padded' ? `rtrim(${text})` : text
    return `coalesce(${database.digest(compared)}, 'NULL')`
  })
  const digest = database.digest(database.concat(texts))
  if (shape.rows > MANY_ROWS) {
    const [[count, sum] = []] = await database.rows(
      `select count(*), ${database.sumOf(digest)} from ${table} where ${where}`,
    )
    return [`${sum} of ${count} rows`]
  }
  const rows = await database.rows(`select ${digest} from ${table} where ${where}`)
  return rows.map(([digest]) => digest as string).sort()
}
