import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { mariadbServer, mysqlServer, postgresServer } from '../databases.ts'

/* One table of seven columns, some 104 bytes a row, on each engine. */

export type Server = 'PostgreSQL' | 'MariaDB' | 'MySQL'

export interface SalesDatabase {
  readonly url: string
  run(sql: string): Promise<void>
  value(sql: string): Promise<string>
  /** Leaves nothing of former work for the server to do. */
  settle(): Promise<void>
  close(): Promise<void>
}

/** A new database of a server; null where there is none. */
export async function salesDatabase(of: Server): Promise<SalesDatabase | null> {
  const server = await { PostgreSQL: postgresServer, MariaDB: mariadbServer, MySQL: mysqlServer }[of]()
  if (server === null) return null
  const url = await server.createDatabase()
  return of === 'PostgreSQL' ? openPostgres(url) : openMysql(url)
}

async function openPostgres(url: string): Promise<SalesDatabase> {
  const client = new Client({ connectionString: url })
  // One that a failure has left open ends with its server.
  client.on('error', () => {})
  await client.connect()
  return {
    url,
    run: async (sql) => void (await client.query(sql)),
    value: async (sql) => (await client.query({ text: sql, rowMode: 'array' })).rows[0]?.[0],
    async settle() {
      await client.query('vacuum analyze')
      await client.query('checkpoint')
    },
    close: () => client.end(),
  }
}

async function openMysql(url: string): Promise<SalesDatabase> {
  const connection = await createConnection({ uri: url, multipleStatements: true })
  await connection.query("set time_zone = '+00:00'")
  return {
    url,
    run: async (sql) => void (await connection.query(sql)),
    async value(sql) {
      const [rows] = await connection.query({ sql, rowsAsArray: true })
      return String((rows as unknown[][])[0]?.[0])
    },
    settle: async () => {},
    close: () => connection.end(),
  }
}

const NOTE = "'a note of some length about sale '"

/** Makes and fills `sale`. */
export async function fillSales({ url, run, settle }: SalesDatabase, rows: number): Promise<void> {
  if (url.startsWith('mysql')) {
    await run(
      `create table sale (id bigint primary key, customer_id bigint not null, sold_on date not null, amount decimal(12,2) not null,
         status varchar(20) not null, note text, updated_at datetime(6) not null, key (updated_at));
       create temporary table digit (d int); insert into digit values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)`,
    )
    // Of a temporary table no statement may speak twice.
    for (const place of [0, 1, 2, 3, 4, 5, 6]) await run(`create temporary table digit_${place} as select d from digit`)
    const number = [0, 1, 2, 3, 4, 5, 6].map((place) => `digit_${place}.d * ${10 ** place}`).join(' + ')
    const from = [6, 5, 4, 3, 2, 1, 0].map((place) => `digit_${place}`).join(' join ')
    await run(
      `insert into sale select i, i % 1000, '2024-01-01' + interval (i % 365) day, i * 1.25, elt(1 + i % 3, 'paid', 'open', 'sent'),
         if(i % 7 = 0, null, concat(${NOTE}, i)), '2025-01-01' + interval i second
       from (select 1 + ${number} as i from ${from}) as numbers where i <= ${rows} order by i; analyze table sale`,
    )
  } else {
    await run(
      `create table sale (id bigint primary key, customer_id bigint not null, sold_on date not null, amount numeric(12,2) not null,
         status varchar(20) not null, note text, updated_at timestamptz not null);
       insert into sale select i, i % 1000, date '2024-01-01' + (i % 365), i * 1.25, (array['paid', 'open', 'sent'])[1 + i % 3],
         case when i % 7 = 0 then null else ${NOTE} || i end, timestamptz '2025-01-01Z' + i * interval '1 second' from generate_series(1, ${rows}) as i;
       create index on sale (updated_at)`,
    )
  }
  await settle()
}

/** Changes so many rows, spread over the table, as of now. */
export async function changeSales({ url, run }: SalesDatabase, rows: number, of: number): Promise<void> {
  const now = url.startsWith('mysql') ? 'utc_timestamp(6)' : 'now()'
  await run(`update sale set amount = amount + 1, updated_at = ${now} where id % ${Math.floor(of / rows)} = 0`)
}

/** How many rows a table has, and a sum over all their values, the same on each engine. */
export async function sumOfSales({ url, value }: SalesDatabase, table: string): Promise<string> {
  const texts = url.startsWith('mysql')
    ? "concat_ws('|', id, customer_id, date_format(sold_on, '%Y-%m-%d'), cast(amount as decimal(12,2)), status, note, timestampdiff(microsecond, '1970-01-01', updated_at))"
    : "concat_ws('|', id, customer_id, to_char(sold_on, 'YYYY-MM-DD'), amount::numeric(12,2), status, note, (extract(epoch from updated_at) * 1000000)::bigint)"
  const number = url.startsWith('mysql')
    ? `cast(conv(substr(sha2(${texts}, 256), 1, 8), 16, 10) as unsigned)`
    : `('x' || substr(encode(sha256(convert_to(${texts}, 'UTF8')), 'hex'), 1, 8))::bit(32)::bigint`
  const sum = `sum((${number} + 4294967296) % 4294967296)`
  return value(
    url.startsWith('mysql')
      ? `select concat(count(*), ' ', ${sum}) from ${table}`
      : `select count(*) || ' ' || ${sum} from ${table}`,
  )
}
