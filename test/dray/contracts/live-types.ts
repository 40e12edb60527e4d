import {
  bigint,
  binary,
  boolean,
  date,
  decimal,
  double,
  integer,
  json,
  text,
  timestamp,
  uuid,
  varchar,
} from 'dray/internal/active-record/field-kinds.ts'
import type { AnyField, Fields } from 'dray/internal/active-record/fields.ts'
import type { FieldKind } from 'dray/internal/database/field-kind.ts'
import { kindsHolding } from 'dray/internal/database/live-types.ts'
import { liveTypes as mysqlTypes } from 'dray/internal/database/mysql/live-types.ts'
import { liveTypes as postgresTypes } from 'dray/internal/database/postgres/live-types.ts'
import type { Harness } from '#test/pipeline/harness.ts'
import type { ValueDatabase } from './value-databases.ts'
import { databaseOf, runCopy } from './value-matrix.ts'
import { type Engine, speechOf } from './values.ts'

/** A type as it is declared, with the least, the greatest and the oddest values that it has, as SQL. */
export type DeclaredTypes = Readonly<Record<string, readonly string[]>>

const WHOLE = {
  smallint: ['-32768', '32767', '0', '1'],
  bigint: ['-9223372036854775808', '9223372036854775807', '9007199254740991', '9007199254740993', '0'],
}
const WORDS = ["'x'", "''", "' a '", "'\u{1F600}\u0301\u2028'", "'NULL'", "'\u00e4\t\n'"]
const DAYS = ["'0001-01-01'", "'9999-12-31'", "'2024-02-29'"]
const MOMENTS = ["'0001-01-01 00:00:00'", "'9999-12-31 23:59:59.999999'", "'2024-03-31 02:30:00.000001'"]
const TEXT_DECIMALS = ["'1.10'", "'-99999999999999999999.999999999999999999'"]
const DOCUMENTS = [`'{"a":[1,null,"x"]}'`, "'null'", "'1.5'"]
const UUIDS = ["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-4fff-bfff-ffffffffffff'"]
const ANY_TEXT = [...WORDS, ...TEXT_DECIMALS, ...DAYS, ...MOMENTS, ...DOCUMENTS, ...UUIDS]
const DOUBLES = ['0', '5e-324', '1.7976931348623157e308', '-1.7976931348623157e308', '0.1', '1e15', '123456789.123456']

/** Every type of pg_type that a column can have, but for what only the server itself can write. */
const POSTGRES: DeclaredTypes = {
  smallint: WHOLE.smallint,
  integer: ['-2147483648', '2147483647', '0', '1'],
  bigint: WHOLE.bigint,
  xid8: ["'0'", "'18446744073709551615'"],
  oid: ['0', "'4294967295'"],
  numeric: ["'NaN'", "'Infinity'", "'-Infinity'", `'${'9'.repeat(35)}.${'9'.repeat(30)}'`, '0.10', '-42'],
  'numeric(60,30)': [`'${'9'.repeat(30)}.${'9'.repeat(30)}'`, '-0.000000000000000000000000000001', '42', '1e20'],
  'numeric(15,0)': ['999999999999999', '-999999999999999', '0'],
  'numeric(15,2)': ['9999999999999.99', '-9999999999999.99', '0.01', '42', "'NaN'"],
  real: [
    '0',
    '3.4028235e38',
    '-3.4028235e38',
    '1.4e-45',
    '1.1754944e-38',
    '0.1',
    '16777217',
    "'NaN'",
    "'-Infinity'",
    "'-0'",
  ],
  'double precision': [...DOUBLES, "'NaN'", "'Infinity'", "'-0'"],
  money: ["'-92233720368547758.08'", "'92233720368547758.07'", "'0.01'"],
  boolean: ['true', 'false'],
  'bit(1)': ["b'1'", "b'0'"],
  'bit(8)': ["b'10000001'", "b'00000000'"],
  'bit varying': ["b''", "b'1010101010'"],
  date: ["'4713-01-01 BC'", "'5874897-12-31'", "'infinity'", "'-infinity'", ...DAYS],
  'timestamp without time zone': [
    "'4713-01-01 00:00:00 BC'",
    "'294276-12-31 23:59:59.999999'",
    "'infinity'",
    ...MOMENTS,
  ],
  'timestamp(3) with time zone': ["'9999-12-31 23:59:59.999+00'", "'2024-03-31 02:30:00.001+14'"],
  'timestamp with time zone': [
    "'4713-01-01 00:00:00+00 BC'",
    "'294276-12-31 23:59:59.999999+00'",
    "'-infinity'",
    ...MOMENTS,
  ],
  'time without time zone': ["'00:00:00'", "'24:00:00'", "'12:34:56.789012'"],
  'time with time zone': ["'00:00:00+15:59:59'", "'24:00:00-15:59:59'"],
  interval: ["'178000000 years'", "'-1 mon +3 days -00:00:00.000001'", "'0'"],
  text: ANY_TEXT,
  'character varying(60)': ANY_TEXT,
  'character varying': ANY_TEXT,
  'character(60)': ["'abc'", "''", ...UUIDS],
  '"char"': ["'a'", "''"],
  name: ["'a_name'", `'${'n'.repeat(63)}'`],
  bytea: ["'\\x'", "'\\x00ff80'", "decode('0a5c09', 'hex')"],
  json: [...DOCUMENTS, `'{"a":1,"a":2, "n":123456789012345678901234567890.5}'`],
  jsonb: [...DOCUMENTS, `'{"n":123456789012345678901234567890.5}'`],
  jsonpath: ["'$.a[*] ? (@ > 1)'"],
  xml: ['\'<a b="c">d</a>\''],
  uuid: UUIDS,
  inet: ["'192.168.0.1/24'", "'::1'"],
  cidr: ["'10.0.0.0/8'", "'::/0'"],
  macaddr: ["'08:00:2b:01:02:03'"],
  macaddr8: ["'08:00:2b:01:02:03:04:05'"],
  point: ["'(1.5,-1e300)'", "'(NaN,Infinity)'"],
  line: ["'{1,2,3}'"],
  lseg: ["'[(0,0),(1,1)]'"],
  box: ["'((1,1),(0,0))'"],
  path: ["'((0,0),(1,1))'", "'[(0,0),(1,1)]'"],
  polygon: ["'((0,0),(1,1),(1,0))'"],
  circle: ["'<(0,0),1>'"],
  tsvector: ["'a:1A fat:2B,4C'", "''"],
  tsquery: ["'fat & (rat | !cat)'"],
  pg_lsn: ["'FFFFFFFF/FFFFFFFF'", "'0/0'"],
  xid: ["'4294967295'"],
  cid: ["'4294967295'"],
  tid: ["'(4294967295,65535)'"],
  oidvector: ["'1 4294967295'"],
  int2vector: ["'1 -32768'"],
  refcursor: ["'cursor'"],
  txid_snapshot: ["'10:20:10,14,15'"],
  pg_snapshot: ["'10:20:10,14,15'"],
  aclitem: ["'postgres=r/postgres'"],
  regclass: ["'pg_class'"],
  regtype: ["'integer'"],
  regproc: ["'now'"],
  regprocedure: ["'sum(int4)'"],
  regoper: ["'pg_catalog.||/'"],
  regoperator: ["'pg_catalog.+(integer,integer)'"],
  regconfig: ["'english'"],
  regdictionary: ["'simple'"],
  regrole: ["'pg_monitor'"],
  regnamespace: ["'pg_catalog'"],
  regcollation: [`'"C"'`],
  int4range: ["'empty'", "'[-2147483648,2147483647)'", "'(,)'"],
  int8range: ["'[-9223372036854775808,)'"],
  numrange: ["'(1.5,2.50]'"],
  tsrange: ["'[2024-01-01 00:00:00,infinity)'"],
  tstzrange: ["'[2024-01-01 00:00:00+00,)'"],
  daterange: ["'[2024-01-01,2024-02-01)'"],
  int4multirange: ["'{[1,3),[5,7)}'", "'{}'"],
  int8multirange: ["'{[1,3)}'"],
  nummultirange: ["'{[1.5,3)}'"],
  tsmultirange: ["'{[2024-01-01 00:00:00,2024-01-02 00:00:00)}'"],
  tstzmultirange: ["'{[2024-01-01 00:00:00+00,2024-01-02 00:00:00+00)}'"],
  datemultirange: ["'{[2024-01-01,2024-01-02)}'"],
  'integer[]': ["'{1,NULL,-2147483648}'", "'{}'", "'[0:1]={1,2}'"],
  'text[]': [`'{"a,b","NULL",NULL,"q\\"u\\\\o"}'`],
  mood: ["'ok'", "'it''s'"],
  live_pair: [`'(1,"a,b")'`, "'(,)'"],
  live_domain: ['-2147483648', '2147483647'],
}

const MYSQL: DeclaredTypes = {
  'tinyint(1)': ['-128', '127', '0', '1'],
  tinyint: ['-128', '127', '0', '1'],
  'tinyint unsigned': ['255'],
  smallint: WHOLE.smallint,
  mediumint: ['-8388608', '8388607', '0'],
  int: ['-2147483648', '2147483647', '0', '1'],
  'int unsigned': ['4294967295'],
  'int(8) zerofill': ['42'],
  bigint: WHOLE.bigint,
  'bigint unsigned': ['18446744073709551615', '0'],
  year: ['1901', '2155', '0'],
  'decimal(60,30)': [`'${'9'.repeat(30)}.${'9'.repeat(30)}'`, '-0.000000000000000000000000000001', '42'],
  'decimal(15,0)': ['999999999999999', '-999999999999999', '0'],
  'decimal(15,2)': ['9999999999999.99', '-9999999999999.99', '0.01', '42'],
  float: ['0', '3.4028234663852886e38', '1.4e-45', '0.1', '16777217'],
  double: DOUBLES,
  'bit(1)': ["b'1'", "b'0'"],
  'bit(64)': ["X'ffffffffffffffff'", "b'0'"],
  date: ["'0000-00-00'", ...DAYS],
  'datetime(6)': ["'0000-00-00'", ...MOMENTS],
  datetime: ["'9999-12-31 23:59:59'", "'2024-03-31 02:30:00'"],
  'timestamp(6)': ["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.999999'"],
  'time(6)': ["'-838:59:59'", "'838:59:59'", "'12:34:56.789012'"],
  'char(60)': WORDS.filter((word) => !word.includes(" '")).concat(UUIDS),
  'varchar(60)': ANY_TEXT,
  tinytext: ANY_TEXT,
  text: ANY_TEXT,
  mediumtext: ANY_TEXT,
  longtext: ANY_TEXT,
  'binary(4)': ["X'00ff80'", "X'0a5c0927'"],
  'varbinary(60)': ["X''", "X'00ff80'", "X'0a5c0927'", "'text'"],
  tinyblob: ["X''", "X'00ff80'"],
  blob: ["X''", "X'00ff80'"],
  mediumblob: ["X'00ff80'"],
  longblob: ["X'00ff80'", "X'0a5c0927'"],
  "enum('a','it''s','1','')": ["'a'", "'it''s'", "'1'", "''"],
  "set('a','b','1')": ["''", "'a,b,1'"],
  geometry: ["ST_GeomFromText('POINT(1 -1e300)')", "ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))')"],
  point: ["ST_GeomFromText('POINT(1 2)')"],
  linestring: ["ST_GeomFromText('LINESTRING(0 0,1 1)')"],
  polygon: ["ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))')"],
  multipoint: ["ST_GeomFromText('MULTIPOINT(0 0,1 1)')"],
  multilinestring: ["ST_GeomFromText('MULTILINESTRING((0 0,1 1))')"],
  multipolygon: ["ST_GeomFromText('MULTIPOLYGON(((0 0,1 0,1 1,0 0)))')"],
}

/** What one of the two has alone. */
const MYSQL_ONLY: DeclaredTypes = {
  json: [...DOCUMENTS, `'{"n":18446744073709551615}'`],
  geomcollection: ["ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2))')"],
  'vector(2)': ["STRING_TO_VECTOR('[1,-2.5]')"],
}
const MARIADB_ONLY: DeclaredTypes = {
  geometrycollection: ["ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2))')"],
  uuid: UUIDS,
  inet4: ["'255.255.255.255'"],
  inet6: ["'::1'", "'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'"],
}

/** SQLite's columns have affinities, not types: any kind is accepted, and these are the ones of sense. */
const SQLITE: DeclaredTypes = {
  INTEGER: [...WHOLE.bigint, '1'],
  REAL: DOUBLES,
  NUMERIC: ['9223372036854775807', '0.1', '1'],
  TEXT: ANY_TEXT,
  BLOB: ["X''", "X'00ff80'"],
  '': ["'text'"],
}
const SQLITE_KINDS: Readonly<Record<string, readonly FieldKind[]>> = {
  INTEGER: ['bigint', 'integer', 'boolean', 'decimal', 'double', 'text', 'varchar'],
  REAL: ['double', 'decimal', 'text', 'varchar'],
  NUMERIC: ['decimal', 'bigint', 'integer', 'double', 'boolean', 'text', 'varchar'],
  TEXT: ['text', 'varchar', 'decimal', 'date', 'timestamp', 'json', 'uuid'],
  BLOB: ['binary'],
  '': ['text', 'varchar'],
}

/** Of a column of text, the values that a kind other than text is declared for, and one that is none. */
const IN_TEXT: Partial<Readonly<Record<FieldKind, readonly string[]>>> = {
  decimal: [...TEXT_DECIMALS, "'x'"],
  date: [...DAYS, "'x'"],
  timestamp: [...MOMENTS, "'x'"],
  json: DOCUMENTS,
  uuid: UUIDS,
}

const FIELDS: Readonly<Record<FieldKind, () => AnyField>> = {
  bigint,
  integer,
  text,
  varchar: () => varchar(1000),
  decimal: () => decimal(65, 30),
  double,
  boolean,
  date,
  timestamp,
  json,
  uuid,
  binary: () => binary(),
}

export const TYPES_OF: Readonly<Record<Engine, DeclaredTypes>> = {
  postgres: POSTGRES,
  mariadb: { ...MYSQL, ...MARIADB_ONLY },
  mysql: { ...MYSQL, ...MYSQL_ONLY },
  sqlite: SQLITE,
}

/** The kinds that a model may declare for a column of this type, the fitting one first. */
export function kindsFor(engine: Engine, type: string): readonly FieldKind[] {
  if (engine === 'sqlite') return SQLITE_KINDS[type] ?? []
  if (type === 'live_domain') return kindsHolding(postgresTypes, 'integer')
  return kindsHolding(engine === 'postgres' ? postgresTypes : mysqlTypes, type)
}

/** What became of the values of a type that a kind was declared for, but for those that are what they were. */
export interface CarriedType {
  readonly type: string
  readonly kind: FieldKind
  /** Each with its code. */
  readonly quarantined: ReadonlyMap<string, string>
  readonly changed: readonly string[]
}

interface Placed {
  readonly id: number
  readonly name: string
  readonly type: string
  readonly kind: FieldKind
  readonly value: string
}

/** Whether the stored values are one, by the database. */
function areIdentical(engine: Engine, kind: FieldKind, a: string, b: string): string {
  if (engine === 'postgres') return `${a}::text IS NOT DISTINCT FROM ${b}::text`
  if (engine === 'sqlite') return `${a} IS ${b} AND typeof(${a}) = typeof(${b})`
  // Neither a geometry nor a vector is taken for text.
  if (kind === 'binary') return `HEX(${a}) <=> HEX(${b})`
  return `${a} <=> ${b} AND HEX(CONCAT(${a}, '')) <=> HEX(CONCAT(${b}, ''))`
}

function placedValues(engine: Engine): readonly Placed[] {
  return Object.entries(TYPES_OF[engine])
    .flatMap(([type, values], place) =>
      kindsFor(engine, type).flatMap((kind) => {
        const given = values === ANY_TEXT ? (IN_TEXT[kind] ?? values) : values
        return given.map((value) => ({ name: `c${place}_${kind}`, type, kind, value }))
      }),
    )
    .map((placed, index) => ({ ...placed, id: index + 1 }))
}

function columnsOf(placed: readonly Placed[]): readonly Placed[] {
  return [...new Map(placed.map((one) => [one.name, one])).values()]
}

async function createTable(database: ValueDatabase, table: string): Promise<void> {
  const isMysql = speechOf(database.engine) === 'mysql'
  const columns = columnsOf(placedValues(database.engine)).map(
    ({ name, type }) => `${name} ${type}${isMysql ? ' NULL' : ''}`,
  )
  await database.run(`CREATE TABLE ${table} (id bigint NOT NULL PRIMARY KEY, ${columns.join(', ')})`)
}

/** A table with a column for each type and kind that may be declared for it, and a row for each value. */
export async function fillTypes(database: ValueDatabase): Promise<void> {
  if (database.engine === 'postgres') {
    await database.run('CREATE TYPE live_pair AS (a int, b text); CREATE DOMAIN live_domain AS int')
  }
  await createTable(database, 'live_from')
  for (const { id, name, value } of placedValues(database.engine)) {
    await database.run(`INSERT INTO live_from (id, ${name}) VALUES (${id}, ${value})`)
  }
}

/** Carries the values of each type into a column of the same type, once for each kind that may be declared for it. */
export async function carryTypes(
  database: ValueDatabase,
  harness: Harness,
  into = 'live_into',
): Promise<readonly CarriedType[]> {
  const { engine } = database
  const placed = placedValues(engine)
  const columns = columnsOf(placed)
  await createTable(database, into)
  const fields: Fields = {
    id: bigint().primaryKey(),
    ...Object.fromEntries(columns.map(({ name, kind }) => [name, FIELDS[kind]().nullable().column(name)])),
  }
  const copy = await runCopy(
    { source: database, target: database, from: 'live_from', into, fields, by: ['id'] },
    harness,
  )
  const codes = new Map(copy.quarantined.map(({ row, errors }) => [Number(row.id), errors[0]?.code ?? '']))
  const carried: CarriedType[] = []
  for (const { name, type, kind } of columns) {
    const rows = placed.filter((one) => one.name === name)
    const same = await database.rows(
      `SELECT a.id FROM live_from a JOIN ${into} b ON b.id = a.id
       WHERE a.id IN (${rows.map(({ id }) => id).join(', ')}) AND ${areIdentical(engine, kind, `a.${name}`, `b.${name}`)}`,
    )
    const identical = new Set(same.map(([id]) => Number(id)))
    const others = rows.filter(({ id }) => !identical.has(id))
    carried.push({
      type,
      kind,
      quarantined: new Map(
        others.flatMap(({ id, value }) => (codes.has(id) ? [[value, codes.get(id) as string]] : [])),
      ),
      changed: others.filter(({ id }) => !codes.has(id)).map(({ value }) => value),
    })
  }
  return carried
}

/** What the check of a model says of each kind that is not among those of a type, and the kind that fits. */
export async function refusedTypes(
  database: ValueDatabase,
): Promise<
  readonly { readonly type: string; readonly kind: FieldKind; readonly fit: string; readonly said: string }[]
> {
  const { engine } = database
  const columns = columnsOf(placedValues(engine))
  const bound = databaseOf(database)
  const refused = (Object.keys(FIELDS) as FieldKind[]).map(async (kind) => {
    const others = columns.filter(({ type }) => !kindsFor(engine, type).includes(kind))
    const fields = others.map(({ name }) => [name, FIELDS[kind]().column(name)] as const)
    const said = await bound.source('live_from', Object.fromEntries(fields)).checkSchema()
    return others.map(({ name, type }) => ({
      type,
      kind,
      fit: kindsFor(engine, type)[0] as string,
      said: said.find(({ column }) => column === name)?.message ?? '',
    }))
  })
  return (await Promise.all(refused)).flat()
}

/** Types that only the server itself writes. */
const SERVER_ONLY = /^(pg_node_tree|pg_ndistinct|pg_dependencies|pg_mcv_list|pg_brin_\w+|gtsvector)$/

/** Every type that the catalogue of the engine names and a column can have. */
export async function declarableTypes({ engine, rows, run }: ValueDatabase): Promise<readonly string[]> {
  if (engine === 'sqlite') return []
  if (engine !== 'postgres') {
    return (await rows('SELECT DISTINCT data_type FROM information_schema.columns')).map(([type]) => type as string)
  }
  const named = await rows(
    `SELECT format_type(oid, NULL) FROM pg_type
     WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'd', 'e', 'r', 'm') AND typelem = 0 OR typname IN ('point', 'name', 'int2vector')`,
  )
  const declarable: string[] = []
  for (const [type] of named as [string][]) {
    if (SERVER_ONLY.test(type)) continue
    await run(`CREATE TEMPORARY TABLE probe (v ${type}); DROP TABLE probe`)
    declarable.push(type)
  }
  return declarable
}
