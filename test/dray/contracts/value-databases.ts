import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { startMariaDB } from '#test/services/mariadb.ts'
import { startMySQL } from '#test/services/mysql.ts'
import { startPostgres } from '#test/services/postgres.ts'
import type { Engine, Form } from './values.ts'

/** A database that is filled and read by its own driver, past Dray. */
export interface ValueDatabase {
  readonly engine: Engine
  readonly url: string
  /** The settings of the server or the database that are not its defaults. */
  readonly settings: string
  run(sql: string): Promise<void>
  rows(sql: string): Promise<(string | null)[][]>
  quote(identifier: string): string
  /** The text of a column's value, by the database, in the same way in each engine. */
  canonical(form: Form, column: string): string
  /** Its digest and length, by the database; NULL for NULL. */
  digest(text: string): string
  /** The sum of the beginnings of digests, over rows. */
  sumOf(digest: string): string
  /** The texts one after another. */
  concat(texts: readonly string[]): string
  close(): Promise<void>
}

/** The engines that can be started here, and why another one cannot. */
export async function openValueDatabases(): Promise<{
  readonly databases: readonly ValueDatabase[]
  readonly unavailable: string | null
}> {
  const opened = await Promise.all([
    openPostgres(),
    openMysql('mariadb', startMariaDB),
    openMysql('mysql', startMySQL),
    openSqlite(),
  ])
  const missing = opened.find((one) => 'unavailable' in one)
  return {
    databases: opened.flatMap((one) => ('unavailable' in one ? [] : [one])),
    unavailable: missing === undefined ? null : missing.unavailable,
  }
}

/** In brackets of 50: an expression may be 1,000 deep in SQLite. */
function chained(texts: readonly string[]): string {
  const groups: string[] = []
  for (let from = 0; from < texts.length; from += 50)
    groups.push(`(${texts.slice(from, from + 50).join(" || '|' || ")})`)
  return groups.join(" || '|' || ")
}

const double = (identifier: string, mark: string) => `${mark}${identifier.replaceAll(mark, mark + mark)}${mark}`

const POSTGRES_FORMS: Readonly<Record<Form, (c: string) => string>> = {
  text: (c) => `${c}::text`,
  padded: (c) => `${c}::text`,
  single: (c) => `replace(${c}::text::float8::text, 'e+', 'e')`,
  integer: (c) => `${c}::text`,
  decimal: (c) => `trim_scale(${c})::text`,
  double: (c) => `replace(${c}::float8::text, 'e+', 'e')`,
  moment: (c) =>
    `CASE WHEN isfinite(${c}) THEN to_char(${c}, 'YYYY-MM-DD HH24:MI:SS.US') || CASE WHEN extract(year FROM ${c}) < 0 THEN ' BC' ELSE '' END ELSE ${c}::text END`,
  date: (c) => `${c}::text`,
  time: (c) => `split_part(${c}::text, '.', 1) || '.' || rpad(split_part(${c}::text, '.', 2), 6, '0')`,
  boolean: (c) => `${c}::int::text`,
  binary: (c) => `encode(${c}, 'hex')`,
  uuid: (c) => `lower(${c}::text)`,
}

/** Settings that would change what is read or written, if they had a say. */
const POSTGRES_SETTINGS = {
  timezone: 'America/New_York',
  datestyle: 'SQL, DMY',
  intervalstyle: 'sql_standard',
  bytea_output: 'escape',
  extra_float_digits: '-3',
}

export async function openPostgres({
  isOwn = false,
  settings = POSTGRES_SETTINGS as Readonly<Record<string, string>>,
} = {}): Promise<ValueDatabase> {
  const server = await startPostgres({ isOwn })
  const url = await server.createDatabase()
  const setter = new Client({ connectionString: url })
  await setter.connect()
  const name = double(decodeURIComponent(new URL(url).pathname.slice(1)), '"')
  for (const [setting, value] of Object.entries(settings)) {
    await setter.query(`ALTER DATABASE ${name} SET ${setting} = '${value}'`)
  }
  await setter.end()
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.query(
    "SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET extra_float_digits = 3",
  )
  await client.query(
    "CREATE TYPE mood AS ENUM ('ok', 'it''s'); CREATE TYPE mood_wide AS ENUM ('ok', 'it''s', 'angry', '1')",
  )
  return {
    engine: 'postgres',
    url,
    settings: Object.entries(settings)
      .map(([setting, value]) => `${setting} = '${value}'`)
      .join(', '),
    run: async (sql) => {
      await client.query(sql)
    },
    rows: async (sql) =>
      (
        await client.query({
          text: sql,
          rowMode: 'array',
          types: { getTypeParser: () => (value: string) => value } as never,
        })
      ).rows,
    quote: (identifier) => double(identifier, '"'),
    canonical: (form, column) => POSTGRES_FORMS[form](column),
    digest: (text) => `encode(sha256(convert_to(${text}, 'UTF8')), 'hex') || ':' || octet_length(${text})`,
    sumOf: (digest) => `sum(('x' || substr(${digest}, 1, 15))::bit(60)::bigint)`,
    concat: chained,
    async close() {
      await client.end()
      await server.stop()
    },
  }
}

const MYSQL_FORMS: Readonly<Record<Form, (c: string) => string>> = {
  text: (c) => `CONVERT(${c} USING utf8mb4)`,
  padded: (c) => `TRIM(TRAILING ' ' FROM CONVERT(${c} USING utf8mb4))`,
  single: (c) => `CAST(${c} * 1e0 AS CHAR)`,
  integer: (c) => `CAST(${c} AS CHAR)`,
  decimal: (c) => `TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(${c} AS CHAR)))`,
  double: (c) => `CAST(${c} * 1e0 AS CHAR)`,
  moment: (c) => `DATE_FORMAT(${c}, '%Y-%m-%d %H:%i:%s.%f')`,
  date: (c) => `DATE_FORMAT(${c}, '%Y-%m-%d')`,
  time: (c) => `CONCAT(CAST(${c} AS CHAR), IF(LOCATE('.', CAST(${c} AS CHAR)) > 0, '', '.000000'))`,
  boolean: (c) => `CAST(${c} + 0 AS CHAR)`,
  binary: (c) => `LOWER(HEX(CAST(${c} AS BINARY)))`,
  uuid: (c) => `LOWER(${c})`,
}

const MYSQL_ZONE = '+05:30'

export async function openMysql(
  engine: 'mariadb' | 'mysql',
  start: typeof startMariaDB,
): Promise<ValueDatabase | { readonly unavailable: string }> {
  // A server of its own: its time zone is not UTC.
  const server = await start({ arguments: [`--default-time-zone=${MYSQL_ZONE}`] })
  if ('unavailable' in server) return server
  const url = await server.createDatabase()
  const connection = await createConnection({ uri: url, charset: 'utf8mb4', dateStrings: true })
  await connection.query("SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES'")
  return {
    engine,
    url,
    settings: `default_time_zone = '${MYSQL_ZONE}'`,
    run: async (sql) => {
      await connection.query(sql)
    },
    rows: async (sql) => {
      const [rows] = await connection.query({
        sql,
        rowsAsArray: true,
        typeCast: (field) => field.string('utf8'),
      })
      return rows as unknown as (string | null)[][]
    },
    quote: (identifier) => double(identifier, '`'),
    canonical: (form, column) => MYSQL_FORMS[form](column),
    digest: (text) => `CONCAT(SHA2(${text}, 256), ':', LENGTH(${text}))`,
    sumOf: (digest) => `SUM(CAST(CONV(SUBSTR(${digest}, 1, 15), 16, 10) AS UNSIGNED))`,
    concat: (texts) => `CONCAT(${texts.join(", '|', ")})`,
    async close() {
      await connection.end()
      await server.stop()
    },
  }
}

/** What SQLite stores in place of a value of the column's type shows in the text. */
const typed = (type: string, c: string, text: string) =>
  `CASE typeof(${c}) WHEN '${type}' THEN ${text} WHEN 'text' THEN ${c} WHEN 'null' THEN NULL ELSE typeof(${c}) || ':' || CAST(${c} AS TEXT) END`

const SQLITE_FORMS: Readonly<Record<Form, (c: string) => string>> = {
  text: (c) => typed('text', c, c),
  padded: (c) => `rtrim(${c}, ' ')`,
  single: (c) => typed('real', c, `shortest(${c})`),
  integer: (c) => typed('integer', c, `CAST(${c} AS TEXT)`),
  decimal: (c) =>
    `CASE typeof(${c}) WHEN 'real' THEN shortest(${c}) WHEN 'integer' THEN CAST(${c} AS TEXT) ELSE CASE WHEN ${c} GLOB '*.*' THEN rtrim(rtrim(${c}, '0'), '.') ELSE ${c} END END`,
  double: (c) => typed('real', c, `shortest(${c})`),
  moment: (c) => `moment(${c})`,
  date: (c) => typed('text', c, c),
  time: (c) => typed('text', c, `CASE WHEN ${c} GLOB '*.*' THEN ${c} ELSE ${c} || '.000000' END`),
  boolean: (c) => typed('integer', c, `CAST(${c} AS TEXT)`),
  binary: (c) => typed('blob', c, `lower(hex(${c}))`),
  uuid: (c) => typed('text', c, `lower(${c})`),
}

export async function openSqlite(): Promise<ValueDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-values-'))
  const path = join(folder, 'values.db')
  const database = new DatabaseSync(path)
  database.exec('PRAGMA journal_mode = WAL')
  // SQLite has neither digests nor an exact text of doubles. Both are given the stored value by the engine.
  database.function('sha256_hex', { deterministic: true }, (value) => {
    if (!(value instanceof Uint8Array)) return null
    return createHash('sha256').update(value).digest('hex')
  })
  database.function('shortest', { deterministic: true }, (value) =>
    Object.is(value, -0) ? '-0' : String(value).replace('e+', 'e'),
  )
  database.aggregate('digest_sum', {
    start: 0n,
    step: (sum, digest) => (sum as bigint) + BigInt(`0x${String(digest).slice(0, 15)}`),
    result: String,
  })
  // Its own functions of time go to the millisecond only.
  database.function('moment', { deterministic: true }, (value) => {
    const parts = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?([+-]\d\d:\d\d)?( BC)?$/.exec(String(value))
    if (parts === null) return value
    const [, day, clock, micros = '', offset, era = ''] = parts
    const utc =
      offset === undefined ? `${day} ${clock}` : new Date(`${day}T${clock}${offset}`).toISOString().slice(0, 19)
    return `${utc.replace('T', ' ')}.${micros.padEnd(6, '0')}${era}`
  })
  return {
    engine: 'sqlite',
    url: `sqlite:${path}`,
    settings: 'its defaults',
    run: async (sql) => database.exec(sql),
    rows: async (sql) => {
      const statement = database.prepare(sql)
      statement.setReturnArrays(true)
      return statement.all() as unknown as (string | null)[][]
    },
    quote: (identifier) => double(identifier, '"'),
    canonical: (form, column) => SQLITE_FORMS[form](column),
    concat: chained,
    digest: (text) => `sha256_hex(CAST(${text} AS BLOB)) || ':' || length(CAST(${text} AS BLOB))`,
    sumOf: (digest) => `digest_sum(${digest})`,
    async close() {
      database.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
