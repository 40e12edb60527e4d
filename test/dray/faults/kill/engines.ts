import { createConnection } from 'mysql2/promise'
import pg from 'pg'
import { numbersTo } from '#test/services/mysql-speech.ts'

export type Engine = 'postgres' | 'mariadb'

/** Rows by position, every value as text. */
export type Rows = readonly (readonly (string | null)[])[]

/** A connection of the test's own, beside the adapters. */
export interface Observer {
  readonly engine: Engine
  run(sql: string): Promise<Rows>
  end(): Promise<void>
}

export function engineOf(url: string): Engine {
  return url.startsWith('mysql:') ? 'mariadb' : 'postgres'
}

export function observe(url: string): Promise<Observer> {
  return engineOf(url) === 'mariadb' ? observeMariaDB(url) : observePostgres(url)
}

async function observePostgres(url: string): Promise<Observer> {
  const client = new pg.Client({ connectionString: url, options: '-c TimeZone=UTC' })
  client.on('error', () => {})
  await client.connect()
  return {
    engine: 'postgres',
    async run(text) {
      const types = { getTypeParser: () => (value: string) => value }
      const answer: unknown = await client.query({ text, rowMode: 'array', types: types as never })
      const last = (Array.isArray(answer) ? answer.at(-1) : answer) as { rows: (string | null)[][] }
      return last.rows
    },
    end: () => client.end().catch(() => {}),
  }
}

async function observeMariaDB(url: string): Promise<Observer> {
  const connection = await createConnection({
    uri: url,
    timezone: 'Z',
    multipleStatements: true,
    rowsAsArray: true,
    typeCast: (field) => field.string(),
  })
  connection.on('error', () => {})
  await connection.query("SET time_zone = '+00:00'")
  return {
    engine: 'mariadb',
    async run(text) {
      const [rows] = (await connection.query(text)) as unknown as [(string | null)[][]]
      return Array.isArray(rows) ? rows : []
    },
    end: () => connection.end().catch(() => {}),
  }
}

/** Where the same thing is said otherwise. The digests of a row are the same text on both. */
const SPEECH = {
  postgres: {
    instant: 'timestamptz',
    hash: (text: string) => `encode(sha256(convert_to(${text}, 'UTF8')), 'hex')`,
    text: (column: string) => `${column}::text`,
    stamp: (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`,
    micros: (base: string, offset: string) => `(timestamptz '${base}+00' + (${offset}) * interval '1 microsecond')`,
    literal: (stamp: string) => `timestamptz '${stamp}+00'`,
    series: (from: number, to: number) => `(select n as id from generate_series(${from}, ${to}) as g(n)) as g`,
    code: (id: string) => `'c-' || lpad((${id})::text, 6, '0')`,
    upsert:
      'on conflict (id) do update set label = excluded.label, amount = excluded.amount, note = excluded.note, changed_at = excluded.changed_at',
  },
  mariadb: {
    instant: 'datetime(6)',
    hash: (text: string) => `sha2(${text}, 256)`,
    text: (column: string) => `cast(${column} as char)`,
    stamp: (column: string) => `date_format(${column}, '%Y-%m-%d %H:%i:%s.%f')`,
    micros: (base: string, offset: string) => `(timestamp'${base}' + interval (${offset}) microsecond)`,
    literal: (stamp: string) => `timestamp'${stamp}'`,
    series: (from: number, to: number) => `(select seq + ${from - 1} as id from ${numbersTo(to - from + 1)}) as g`,
    code: (id: string) => `concat('c-', lpad(${id}, 6, '0'))`,
    upsert:
      'on duplicate key update label = values(label), amount = values(amount), note = values(note), changed_at = values(changed_at)',
  },
} as const

export function speechOf({ engine }: Observer): (typeof SPEECH)[Engine] {
  return SPEECH[engine]
}
