import { join } from 'node:path'
import { quarantinedRows } from 'dray/internal/pipeline/quarantine/kept-rows.ts'
import { FolderStagingStore } from 'dray/internal/staging/folder-staging-store.ts'
import { type Observer, observe, type Rows } from '../kill/engines.ts'
import type { Server } from '../kill/server.ts'

const CUSTOMERS = 400
const ORDERS = 3_000
/** What the pipeline of orders leaves for a later run. */
const LAG = "interval '5 minutes'"

const tables = {
  shop: 'create table customers (id bigint primary key, name text, email text, phone text, address text, created_at text)',
  till: `create table orders (id bigint primary key, customer_id bigint, order_date timestamptz, total_amount numeric(12, 2),
    status text, last_updated timestamptz not null)`,
}

/** The rows that a pipeline makes good, those that it has to quarantine, and the target. */
const pipelines = {
  customers: {
    source: 'shop',
    good: "select id, name, email, null, null from customers where name <> ''",
    bad: "select id, concat_ws('|', id, name, email) from customers where name = ''",
    target: 'select id, full_name, email, phone, city from customer_dim',
    kept: ({ id, name, email }: Values) => [id, name, email],
  },
  orders: {
    source: 'till',
    good: `select id, customer_id, (order_date at time zone 'UTC')::date, total_amount, coalesce(status, 'unknown') from orders
      where customer_id is not null and coalesce(length(status), 0) <= 20`,
    bad: `select id, concat_ws('|', id, coalesce(customer_id::text, '~'), total_amount, coalesce(status, '~')) from orders
      where customer_id is null or length(status) > 20`,
    target: 'select order_id, customer_id, order_date, order_amount, order_status from order_fact',
    kept: ({ id, customer_id: customer, total_amount: amount, status }: Values) => [
      id,
      customer ?? '~',
      amount,
      status ?? '~',
    ],
  },
} as const

type Values = Readonly<Record<string, string | null>>

/** The databases of the project, each on PostgreSQL, and who looks at them beside the command. */
export class World {
  readonly environment: NodeJS.ProcessEnv
  readonly #shop: Observer
  readonly #till: Observer
  readonly #lake: Observer
  #version = 0

  private constructor(environment: NodeJS.ProcessEnv, [shop, till, lake]: readonly [Observer, Observer, Observer]) {
    this.environment = environment
    this.#shop = shop
    this.#till = till
    this.#lake = lake
  }

  static async open(server: Server): Promise<World> {
    const urls = [await server.createDatabase(), await server.createDatabase(), await server.createDatabase()] as const
    const [shop, till, lake] = [await observe(urls[0]), await observe(urls[1]), await observe(urls[2])]
    await shop.run(tables.shop)
    await till.run(tables.till)
    const [SHOP_DATABASE_URL, TILL_DATABASE_URL, LAKE_DATABASE_URL] = urls
    return new World({ SHOP_DATABASE_URL, TILL_DATABASE_URL, LAKE_DATABASE_URL }, [shop, till, lake])
  }

  async close(): Promise<void> {
    await Promise.all([this.#shop.end(), this.#till.end(), this.#lake.end()])
  }

  /**
   * Changes a fifth of the rows and adds some; of both a few are bad, others than before, and not so many that a run
   * gives up. While a run is under way the
   * customers alone, which each run reads whole: an order is stamped as if five minutes had passed.
   */
  async change({ duringRun = false } = {}): Promise<void> {
    this.#version += 1
    const version = this.#version
    const name = `case when (id * 7 + ${version}) % 61 = 0 then '' else 'Ann ' || id || ' the ' || ${version} end`
    const email = `'ann.' || id || '.${version}@example.com'`
    await this.#shop.run(
      `insert into customers (id, name, email) select id, ${name}, ${email} from generate_series(1, ${CUSTOMERS + version}) as g (id)
       where id % 5 = ${version % 5} or ${version} = 1 or id = ${CUSTOMERS + version}
       on conflict (id) do update set name = excluded.name, email = excluded.email`,
    )
    if (duringRun) return
    await this.#till.run(
      `insert into orders select id, case when (id + ${version}) % 311 = 0 then null else id % ${CUSTOMERS} end,
         timestamptz '2024-01-01 22:30:00+00' + id * interval '1 hour', (id * 100 + ${version}) / 100.0,
         case when (id * 3 + ${version}) % 211 = 0 then repeat('long ', 5) when id % 11 = 0 then null else 'paid' end,
         clock_timestamp() - ${LAG}
       from generate_series(1, ${ORDERS + version * 10}) as g (id)
       where id % 5 = ${version % 5} or ${version} = 1 or id > ${ORDERS + version * 10 - 10}
       on conflict (id) do update set customer_id = excluded.customer_id, total_amount = excluded.total_amount,
         status = excluded.status, last_updated = excluded.last_updated`,
    )
  }

  /** What is wrong, by the databases and the quarantine's own objects, once a run has ended well and nothing writes. */
  async differences(home: string): Promise<string[]> {
    const found: string[] = []
    for (const pipeline of ['customers', 'orders'] as const) {
      const { source, good, bad, target } = pipelines[pipeline]
      const observer = source === 'shop' ? this.#shop : this.#till
      const badRows = await observer.run(bad)
      found.push(...compare(pipeline, await observer.run(good), await this.#lake.run(target), new Set(keysOf(badRows))))
      found.push(...compare(`the quarantine of ${pipeline}`, badRows, await openRows(home, pipeline)))
    }
    const sums = 'select customer_id, count(*), sum(order_amount)::numeric(18, 2) from order_fact group by customer_id'
    found.push(...compare('the data mart', await this.#lake.run(sums), await this.#lake.run('table customer_sales')))
    return found
  }

  /** Rows of the targets, as the server stores them: what is written again is another version. */
  async stored(): Promise<Rows> {
    return this.#lake.run(
      'select xmin::text, id from customer_dim union all select xmin::text, order_id from order_fact order by 2, 1',
    )
  }
}

/** The open rows of the quarantine of one state store: the key, and the values of a row in one text. */
async function openRows(home: string, pipeline: 'customers' | 'orders'): Promise<Rows> {
  const rows: (readonly [string, string])[] = []
  for await (const { row, record } of quarantinedRows(new FolderStagingStore(join(home, 'staging')), pipeline)) {
    if (record === null) rows.push([row.id as string, pipelines[pipeline].kept(row as Values).join('|')])
  }
  return rows
}

function keysOf(rows: Rows): string[] {
  return rows.map(([key]) => key as string)
}

/** Rows are compared by their first value; those of `tolerated` keys may be in `found` as they like, but once. */
function compare(what: string, due: Rows, found: Rows, tolerated: ReadonlySet<string> = new Set()): string[] {
  const rows = new Map(found.map((row) => [row[0], JSON.stringify(row)]))
  const wanted = new Map(due.map((row) => [row[0], JSON.stringify(row)]))
  const twice = found.length - rows.size
  const wrong = due.filter(([key]) => rows.get(key as string) !== wanted.get(key as string))
  const extra = keysOf(found).filter((key) => !wanted.has(key) && !tolerated.has(key))
  const [first] = wrong
  return [
    ...(twice > 0 ? [`${what}: ${twice} rows come twice`] : []),
    ...(first
      ? [
          `${what}: ${wrong.length} of ${due.length} rows differ: ${rows.get(first[0] as string)} for ${JSON.stringify(first)}`,
        ]
      : []),
    ...(extra.length > 0 ? [`${what}: ${extra.length} rows that are not due: ${extra.slice(0, 3)}`] : []),
  ]
}
