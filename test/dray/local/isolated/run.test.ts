import assert from 'node:assert/strict'
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { createPostgresAdapter } from 'dray/internal/database/postgres/index.ts'
import { dray, type Ended, temporaryHome } from '#test/cli/dray-process.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'

/* The same small data, once in threads of one process and once as it is deployed. */

const customers = [
  'id,name,email,phone,address,created_at',
  ...Array.from(
    { length: 40 },
    (_, index) =>
      `${index + 1},Aino ${index},a${index}@example.com,040 123 45${String(index).padStart(2, '0')},"Mannerheimintie ${index + 1}, Helsinki, 00100",2024-01-${String((index % 28) + 1).padStart(2, '0')}`,
  ),
  '41,,nobody@example.com,,,2024-02-01',
  '42,Väinö,not an address,123,,the day before yesterday',
].join('\n')
const orders = [
  'id,customer_id,order_date,total_amount,status,last_updated',
  ...Array.from(
    { length: 300 },
    (_, index) =>
      `${index + 1},${(index % 40) + 1},2024-03-01 10:00:00,${index}.${String(index % 100).padStart(2, '0')},shipped,2024-03-${String((index % 28) + 1).padStart(2, '0')} 10:00:00.123456`,
  ),
  '301,,2024-03-01 10:00:00,1.00,shipped,2024-03-05 10:00:00',
].join('\n')

const tables = [
  'select id, full_name, email, phone, city from customer_dim order by id',
  'select order_id, customer_id, order_date, order_amount, order_status from order_fact order by order_id',
  'select customer_id, orders, revenue from customer_sales order by customer_id',
]

interface Step {
  readonly step: string
  readonly status: string
  readonly seconds?: number
  readonly [count: string]: unknown
}

describe('dray run --isolated', () => {
  const inProcess = temporaryHome()
  const isolated = temporaryHome()
  let server: TestPostgres
  let sources: NodeJS.ProcessEnv
  const warehouses = new Map<string, string>()

  const verb = (home: string, ...args: readonly string[]) =>
    dray(home, [...args, '--json', '--progress', 'none'], {
      ...sources,
      LAKE_DATABASE_URL: warehouses.get(home) ?? '',
    })
  const run = (home: string, options: readonly string[]) => verb(home, 'run', 'nightly', ...options)

  before(async () => {
    server = await startPostgres()
    sources = {
      SHOP_DATABASE_URL: `sqlite:${join(inProcess.home, 'shop.db')}`,
      TILL_DATABASE_URL: await server.createDatabase(),
    }
    for (const { home } of [inProcess, isolated]) warehouses.set(home, await server.createDatabase())
    for (const [table, text] of [
      ['shop.customers', customers],
      ['till.orders', orders],
    ] as const) {
      const file = join(inProcess.home, `${table}.csv`)
      writeFileSync(file, `${text}\n`)
      const { code, stderr } = await dray(inProcess.home, ['import', 'csv', file, '--into', table], sources)
      assert.equal(code, 0, stderr)
    }
  })
  after(async () => {
    await server.stop()
    inProcess.remove()
    isolated.remove()
  })

  test('loads the same rows with the same counts as in process, and then finds nothing new', async () => {
    const expected = await run(inProcess.home, [])
    const first = await run(isolated.home, ['--isolated'])
    const second = await run(isolated.home, ['--isolated'])

    assert.deepEqual([expected.code, first.code, second.code], [0, 0, 0], `${first.stderr}${first.stdout}`)
    assert.deepEqual(countsOf(first), countsOf(expected))
    assert.deepEqual(await rowsOf(warehouses.get(isolated.home)), await rowsOf(warehouses.get(inProcess.home)))
    const [again, incremental] = countsOf(second)
    assert.deepEqual([again?.read, again?.unchanged, again?.quarantined], [42, 41, 1])
    assert.deepEqual([incremental?.read, incremental?.inserted], [0, 0])
  })

  test('leaves the quarantined rows where the other verbs look for them, and no batch', async () => {
    const kept = (home: string) =>
      readdirSync(join(home, 'staging'), { recursive: true, encoding: 'utf8' })
        .filter((name) => statSync(join(home, 'staging', name)).isFile())
        .map((name) => name.split('/'))
    const quarantined = (home: string) => kept(home).filter(([kind]) => kind === 'quarantine')

    const ofEachPipeline = Object.groupBy(quarantined(isolated.home), ([, pipeline]) => pipeline ?? '')

    // Two runs have read the customers, one the order.
    assert.equal(ofEachPipeline.customers?.length, 2)
    assert.equal(ofEachPipeline.orders?.length, 1)
    assert.equal(quarantined(inProcess.home).length, 2)
    const staged = kept(isolated.home).filter(([kind]) => kind === 'runs')
    assert.deepEqual([...new Set(staged.map(([, , , part]) => part))], ['_plan'])
  })

  test('replays the rows that it finds in the quarantine of earlier runs', async () => {
    const shop = new DatabaseSync(join(inProcess.home, 'shop.db'))
    shop.exec("update customers set name = 'Nobody Else' where id = 41")
    shop.close()

    const expected = await verb(inProcess.home, 'quarantine', 'replay', 'customers')
    const replayed = await verb(isolated.home, 'quarantine', 'replay', 'customers', '--isolated')

    assert.deepEqual([expected.code, replayed.code], [0, 0], `${replayed.stderr}${replayed.stdout}`)
    assert.deepEqual([countsOf(replayed)[0]?.read, countsOf(replayed)[0]?.inserted], [1, 1])
    assert.deepEqual(await rowsOf(warehouses.get(isolated.home)), await rowsOf(warehouses.get(inProcess.home)))
    const again = await verb(isolated.home, 'quarantine', 'replay', 'customers', '--isolated')
    assert.match(again.stderr, /has no open row/)
  })

  test('resumes a run that failed, on the keys that it was asked for', async () => {
    const lake = warehouses.get(isolated.home)
    // What no look at the tables sees before a run.
    await change(
      lake,
      `delete from order_fact where order_id < 10;
       create function fails() returns trigger language plpgsql as 'begin perform nobody(); return new; end';
       create trigger fails before insert on order_fact for each row execute function fails()`,
    )
    const failed = await verb(isolated.home, 'run', 'orders', '--keys', '7,8', '--isolated')
    await change(lake, 'drop trigger fails on order_fact; drop function fails')

    const resumed = await verb(isolated.home, 'resume', JSON.parse(failed.stdout).run_id, '--isolated')

    assert.deepEqual([failed.code, resumed.code], [1, 0], `${resumed.stderr}${resumed.stdout}`)
    assert.deepEqual([countsOf(resumed)[0]?.read, countsOf(resumed)[0]?.inserted], [2, 2])
  })

  function countsOf({ stdout }: Ended): Step[] {
    return (JSON.parse(stdout).steps as Step[]).map((step) =>
      Object.fromEntries(Object.entries(step).filter(([key]) => !/seconds|time|last_run|bytes|quarantine$/.test(key))),
    ) as Step[]
  }
})

async function rowsOf(url: string | undefined): Promise<unknown[]> {
  return Promise.all(tables.map((table) => change(url, table)))
}

async function change(url: string | undefined, sql: string): Promise<unknown> {
  const adapter = createPostgresAdapter({ name: 'lake', url: url ?? '' })
  const connection = await adapter.acquire()
  try {
    return (await connection.query(sql)).rows
  } finally {
    await adapter.release(connection)
    await adapter.close()
  }
}
