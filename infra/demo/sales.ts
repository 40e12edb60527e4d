import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Client } from 'pg'
import { from } from 'pg-copy-streams'
import { SourceOrder } from '#models/sales.ts'
import { type OrderOptions, orders } from './orders.ts'
import type { OrderRow } from './rows.ts'

const columns = '(id, customer_id, order_date, total_amount, status, last_updated)'

export function salesIsEmpty(): Promise<boolean> {
  return inSales(async (client) => {
    const { rows } = await client.query("select to_regclass('orders') is not null as exists")
    return !rows[0].exists || (await client.query('select 1 from orders limit 1')).rowCount === 0
  })
}

/** The end of the window that a run would read now, in UTC. */
export function settledUntil(lagSeconds: number): Promise<string> {
  return inSales(async (client) => {
    const format = 'YYYY-MM-DD HH24:MI:SS.US'
    const { rows } = await client.query(
      `select to_char((now() - make_interval(secs => $1)) at time zone 'UTC', '${format}') as until`,
      [lagSeconds],
    )
    return rows[0].until
  })
}

export async function fillOrders(options: OrderOptions, signal: AbortSignal): Promise<void> {
  if (!(await tableExists())) await SourceOrder.createTable()
  await inSales(async (client) => {
    await client.query('create index if not exists orders_by_last_updated on orders (last_updated, id)')
    await copy(client, `orders ${columns}`, orders(options), signal)
  })
}

/** Replaces or adds rows by their id. */
export async function applyOrders(rows: readonly OrderRow[]): Promise<void> {
  await inSales(async (client) => {
    await client.query('create temporary table changes (like orders) on commit drop')
    await copy(client, `changes ${columns}`, rows)
    const names = ['customer_id', 'order_date', 'total_amount', 'status', 'last_updated']
    await client.query(
      `insert into orders ${columns} select id, ${names.join(', ')} from changes
       on conflict (id) do update set ${names.map((name) => `${name} = excluded.${name}`).join(', ')}`,
    )
  })
}

function tableExists(): Promise<boolean> {
  return inSales(async (client) => {
    const { rows } = await client.query("select to_regclass('orders') is not null as exists")
    return rows[0].exists
  })
}

async function copy(client: Client, into: string, rows: Iterable<OrderRow>, signal?: AbortSignal): Promise<void> {
  await pipeline(Readable.from(blocks(rows)), client.query(from(`copy ${into} from stdin`)), signal ? { signal } : {})
}

/** COPY text; the generator makes no tab, backslash or line end. */
function* blocks(rows: Iterable<OrderRow>): Generator<string> {
  let block = ''
  for (const row of rows) {
    block += `${row.map((value) => value ?? '\\N').join('\t')}\n`
    if (block.length < 65_536) continue
    yield block
    block = ''
  }
  if (block) yield block
}

/** All of `work` or nothing. */
async function inSales<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: process.env.SALES_DATABASE_URL ?? '', options: '-c TimeZone=UTC' })
  await client.connect()
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query('commit')
    return result
  } finally {
    await client.end()
  }
}
