import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startServices } from 'dray-infra/internal/local/services.ts'
import { openState } from 'dray-infra/internal/local/state.ts'
import { Client } from 'pg'
import { fixtureProject } from '#test/fixture-project.ts'
import { type LineageEvent, lineageEvent } from '#test/lineage/event-schema.ts'
import { type LineageServer, startLineageServer } from '#test/lineage/lineage-server.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'
import { dray, type Ended, startDray, temporaryHome } from './dray-process.ts'

const rows = {
  'shop.customers': [
    'id,name,email,phone,address,created_at',
    '1,Aino,aino@example.com,040 1234567,"Mannerheimintie 1, Helsinki, 00100",2024-01-01',
  ],
  'till.orders': [
    'id,customer_id,order_date,total_amount,status,last_updated',
    '1,1,2024-03-01 10:00:00,10.00,shipped,2024-03-02 10:00:00',
    '2,1,2024-03-01 10:00:00,20.00,shipped,2024-03-03 10:00:00',
  ],
}

describe('the lineage of a run', () => {
  const { home, remove } = temporaryHome()
  let postgres: TestPostgres
  let server: LineageServer
  let databases: Record<string, string>

  const start = (args: readonly string[], environment: NodeJS.ProcessEnv = {}) => {
    const variables = { ...databases, OPENLINEAGE_URL: server.url, OPENLINEAGE_NAMESPACE: 'dray-test', ...environment }
    return startDray(home, [...args, '--json', '--progress', 'none'], variables)
  }
  const run = (args: readonly string[], environment?: NodeJS.ProcessEnv) => start(args, environment).ended
  const runDaily = (environment: NodeJS.ProcessEnv = {}) => run(['run', 'nightly'], environment)

  before(async () => {
    ;[postgres, server] = await Promise.all([startPostgres(), startLineageServer()])
    databases = {
      SHOP_DATABASE_URL: `sqlite:${join(home, 'shop.db')}`,
      TILL_DATABASE_URL: await postgres.createDatabase(),
      LAKE_DATABASE_URL: await postgres.createDatabase(),
    }
    for (const [table, lines] of Object.entries(rows)) {
      const file = join(home, `${table}.csv`)
      writeFileSync(file, `${lines.join('\n')}\n`)
      const { code, stderr } = await dray(home, ['import', 'csv', file, '--into', table], databases)
      assert.equal(code, 0, stderr)
    }
  })
  beforeEach(() => {
    server.answer = 201
    server.received.length = 0
  })
  after(async () => {
    await Promise.all([postgres.stop(), server.stop()])
    remove()
  })

  /** What came, each held against the specification, by the times that they say; one that came twice counts once. */
  const events = (): LineageEvent[] => {
    const parsed = server.received.map(({ body }) => lineageEvent.parse(body))
    const once = new Map(parsed.map((event) => [`${event.eventType} ${event.run.runId}`, event]))
    return [...once.values()].sort((one, other) => Date.parse(one.eventTime) - Date.parse(other.eventTime))
  }
  const told = () => events().map(({ eventType, job }) => `${eventType} ${job.name}`)
  const daily = 'nightly'
  const found = (what: string) => {
    const event = events().find(({ eventType, job }) => what === `${eventType} ${job.name}`)
    assert.ok(event, `no ${what} in ${told()}`)
    return event
  }

  test('is its start and end, and those of each step with its tables and rows', async () => {
    const { code, stderr } = await runDaily()

    assert.equal(code, 0, stderr)
    assert.deepEqual(
      told().toSorted(),
      ['', '.customers', '.data-mart', '.orders']
        .flatMap((step) => [`COMPLETE ${daily}${step}`, `START ${daily}${step}`])
        .toSorted(),
    )
    assert.equal(told().at(-1), `COMPLETE ${daily}`)
    const [till, lake] = [databases.TILL_DATABASE_URL, databases.LAKE_DATABASE_URL].map((url = '') => new URL(url))
    const orders = found(`COMPLETE ${daily}.orders`)
    assert.deepEqual(
      [...orders.inputs, ...orders.outputs].map(({ namespace, name }) => `${namespace}/${name}`),
      [
        `postgres://${till?.host}${till?.pathname}.public.orders`,
        `postgres://${lake?.host}${lake?.pathname}.public.order_fact`,
      ],
    )
    assert.equal(orders.outputs[0]?.outputFacets?.outputStatistics.rowCount, 2)
    assert.deepEqual(
      found(`COMPLETE ${daily}.data-mart`).inputs.map(({ name }) => name.replace(/.*\./, '')),
      ['customer_dim', 'order_fact'],
    )
    assert.equal(found(`COMPLETE ${daily}.customers`).inputs[0]?.namespace, databases.SHOP_DATABASE_URL)
    const parents = new Set(events().flatMap(({ run }) => run.facets.parent?.run.runId ?? []))
    assert.deepEqual([...parents], [found(`START ${daily}`).run.runId])
    for (const url of [till, lake]) {
      if (url?.password) assert.equal(JSON.stringify(server.received).includes(url.password), false)
    }
  })

  test('is the failure of a step with its reason, and the success of its resumption', async () => {
    await alter('alter table orders rename column status to state')
    const failed = await runDaily()
    const why = found(`FAIL ${daily}.orders`).run.facets.errorMessage?.message ?? ''
    const first = found(`FAIL ${daily}`).run
    assert.deepEqual(
      told().filter((what) => what.includes('data-mart')),
      [],
    )
    await alter('alter table orders rename column state to status')
    server.received.length = 0
    const resumed = await run(['resume', JSON.parse(failed.stdout).run_id as string])

    assert.deepEqual([failed.code, resumed.code], [1, 0], resumed.stderr)
    assert.match(why, /^Terminal: .*status/)
    assert.match(first.facets.errorMessage?.message ?? '', /orders: failed: Terminal.*data-mart: skipped/)
    assert.equal(told().at(-1), `COMPLETE ${daily}`)
    assert.notEqual(found(`COMPLETE ${daily}`).run.runId, first.runId)
    found(`COMPLETE ${daily}.orders`)
  })

  test('names no value of a row that a database quotes, and no log, output or record of the run does', async () => {
    const shop = new DatabaseSync(join(home, 'shop.db'))
    shop.exec(`alter table customers rename to kept; create view customers as
      select * from kept where json_extract('{"a":1}', email) is null`)

    const failed = await startDray(home, ['run', 'nightly', '--progress', 'log'], {
      ...databases,
      OPENLINEAGE_URL: server.url,
    }).ended
    const id = /nightly.*?(\d{4}-\d\d-\d\dt\d{6}-\w+)/.exec(`${failed.stdout}${failed.stderr}`)?.[1] ?? ''
    const shown = await startDray(home, ['runs', 'show', id, '--json'], databases).ended
    shop.exec('drop view customers; alter table kept rename to customers')
    shop.close()

    assert.equal(failed.code, 1)
    const said = [failed.stdout, failed.stderr, shown.stdout, JSON.stringify(server.received)]
    for (const one of said) {
      assert.match(one, /JSON path/)
      assert.doesNotMatch(one, /aino@example/)
    }
    // What is staged are rows, with those that are set aside.
    const others = holding('aino@example').filter((file) => !file.startsWith('staging/'))
    assert.deepEqual(others.toSorted(), ['shop.customers.csv', 'shop.db'])
  })

  /** The files below the home of the project that hold a text. */
  function holding(text: string): string[] {
    const files = readdirSync(home, { recursive: true, withFileTypes: true }).filter((file) => file.isFile())
    const found = files.filter((file) => readFileSync(join(file.parentPath, file.name)).includes(text))
    return found.map((file) => relative(home, join(file.parentPath, file.name)))
  }

  test('is an abort of the step that another run held', async () => {
    const services = await startServices({ home, project: await fixtureProject(), databases: [] })
    const state = await openState()
    await state.acquireLease('orders', 'another', Date.now(), Date.now() + 60_000)
    try {
      const { code } = await runDaily()

      assert.equal(code, 3)
      assert.match(found(`ABORT ${daily}.orders`).run.facets.errorMessage?.message ?? '', /held by another/)
      assert.equal(found(`FAIL ${daily}`).run.facets.errorMessage?.message.includes('refused'), true)
    } finally {
      await state.releaseLease('orders', 'another')
      await state.takePending('orders')
      await services.stop()
    }
  })

  test('is an abort of what an interrupted run had begun', async () => {
    const lock = new Client({ connectionString: databases.LAKE_DATABASE_URL })
    await lock.connect()
    await lock.query('begin; lock table customer_dim in share mode')
    const services = await startServices({ home, project: await fixtureProject(), databases: [] })
    const state = await openState()
    const isPlanned = async () => {
      const [running] = await state.runs({ status: 'running', limit: 1 })
      const steps = running ? ((await state.run(running.id))?.steps ?? []) : []
      return steps.some(({ step }) => step === 'customers') && told().includes(`START ${daily}.customers`)
    }
    const { child, ended } = start(['run', daily])
    while (!(await isPlanned())) await delay(50)

    child.kill('SIGINT')
    const { code } = await ended
    await lock.query('rollback')
    await Promise.all([lock.end(), services.stop()])

    assert.equal(code, 130)
    assert.equal(told().at(-1), `ABORT ${daily}`)
    assert.equal(found(`ABORT ${daily}.customers`).run.runId, found(`START ${daily}.customers`).run.runId)
    assert.match(found(`ABORT ${daily}`).run.facets.errorMessage?.message ?? '', /interrupted/)
  })

  test('is kept while its sink is down, and sent by the end of the run', async () => {
    server.answer = 500
    // Until Finish begins, whose first event is the first that was kept.
    const back = setInterval(() => {
      if (server.received.length >= 2) server.answer = 201
    }, 5)
    const { code, stderr } = await runDaily().finally(() => clearInterval(back))

    assert.equal(code, 0, stderr)
    assert.equal(told().length, 8)
  })

  test('that is lost fails nothing, and is said in the notes of the run', async () => {
    server.answer = null
    const silent = await runDaily()
    const stopped = await startLineageServer()
    await stopped.stop()
    const gone = await runDaily({ OPENLINEAGE_URL: stopped.url })

    assert.deepEqual([silent.code, gone.code], [0, 0], silent.stderr)
    assert.match(notesOf(silent), /8 events of lineage did not reach http:\S+ \(it did not answer/)
    assert.match(notesOf(gone), /8 events of lineage did not reach .* \(ECONNREFUSED\)/)
  })

  async function alter(sql: string): Promise<void> {
    const client = new Client({ connectionString: databases.TILL_DATABASE_URL })
    await client.connect()
    await client.query(sql)
    await client.end()
  }

  function notesOf({ stdout }: Ended): string {
    const { steps } = JSON.parse(stdout) as { steps: { notes?: string[] | null }[] }
    return steps.flatMap(({ notes }) => notes ?? []).join('\n')
  }
})
