import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { TableStateStore } from 'dray/internal/state/table-state-store.ts'
import { connectServices, type ServicesConnection } from 'dray-infra/internal/local/services-connection.ts'
import { openStateIn } from 'dray-infra/internal/local/state.ts'
import { Client } from 'pg'
import { sharedData, withoutSharedData } from '#test/shared-data.ts'
import { dray, startDray, temporaryHome } from './dray-process.ts'

/*
 * Runs over the embedded PostgreSQL that are stopped half-way: a lock that the test holds on the target keeps them
 * there.
 */

const chinook = sharedData('chinook')
const WORKFLOW = 'nightly'

describe('a run that does not come to its end', { skip: withoutSharedData }, () => {
  const { home, remove } = temporaryHome()
  let services: ServicesConnection
  let state: TableStateStore
  let client: Client

  before(async () => {
    services = await connectServices(home, { postgres: ['till', 'lake'] })
    state = await openStateIn(home)
    client = new Client({ connectionString: services.postgres.lake as string })
    await client.connect()
    for (const [file, into] of [
      ['customers', 'shop.customers'],
      ['orders', 'till.orders'],
    ]) {
      const { code, stderr } = await dray(home, [
        'import',
        'csv',
        join(chinook, `${file}.csv`),
        '--into',
        into as string,
      ])
      assert.equal(code, 0, stderr)
    }
    const { code, stderr } = await dray(home, ['run', WORKFLOW])
    assert.equal(code, 0, stderr)
  })
  afterEach(async () => {
    await client.query('rollback')
  })
  after(async () => {
    await client.end()
    state.close()
    await services.close()
    remove()
  })

  /** Empties the target and locks it; resolves when the load of a run waits at the lock. */
  async function startBlocked() {
    await state.setLastRun('orders', null, Date.now())
    await client.query('truncate order_fact')
    await client.query('begin')
    await client.query('lock table order_fact in access exclusive mode')
    const running = startDray(home, ['run', 'orders', '--progress', 'log'])
    // What looks at the table before the run begins waits there, too, and gives up.
    await until(async () => (await state.pipeline('orders'))?.leaseOwner != null && (await waitingLoads()) > 0)
    return running
  }

  async function waitingLoads(): Promise<number> {
    const { rows } = await client.query(
      "select count(*)::int as waiting from pg_locks where not granted and relation = 'order_fact'::regclass",
    )
    return rows[0].waiting
  }

  async function until(condition: () => Promise<boolean>): Promise<void> {
    while (!(await condition())) await delay(20)
  }

  async function loadedOrders(): Promise<number> {
    return (await client.query('select count(*)::int as rows from order_fact')).rows[0].rows
  }

  it('leaves no lease, no process and no half-loaded partition after Ctrl-C, and exits with 130', async () => {
    const { child, ended } = await startBlocked()

    child.kill('SIGINT')
    const { code, stdout } = await ended

    assert.equal(code, 130)
    assert.match(stdout, /interrupted/)
    assert.equal(await waitingLoads(), 0)
    assert.equal((await state.pipeline('orders'))?.leaseOwner, null)
    const [latest] = await state.runs({ limit: 1 })
    assert.equal(latest?.status, 'interrupted')
    await client.query('rollback')
    assert.equal(await loadedOrders(), 0)
  })

  it('is settled by the next run when its process was killed', async () => {
    const { child, ended } = await startBlocked()
    child.kill('SIGKILL')
    await ended
    await client.query('rollback')
    assert.notEqual((await state.pipeline('orders'))?.leaseOwner, null)

    const { code, stderr } = await dray(home, ['run', 'orders', '--progress', 'log'])

    assert.equal(code, 0, stderr)
    assert.match(stderr, /had lost its process/)
    assert.equal(await loadedOrders(), 412)
  })

  it('comes to its end when nobody reads any more what it says', async () => {
    const { child, ended } = await startBlocked()
    ended.catch(() => undefined)
    const exited = once(child, 'exit')

    child.stdout.destroy()
    child.stderr.destroy()
    await client.query('rollback')
    const [code] = await exited

    assert.equal(code, 0)
    assert.equal(await loadedOrders(), 412)
    assert.equal((await state.pipeline('orders'))?.leaseOwner, null)
  })

  it('ends as refused with exit code 3 where another run holds the lease, and says which', async () => {
    await state.startRun({
      id: 'other-run',
      workflow: WORKFLOW,
      startTime: Date.now(),
      runner: `local:${hostname()}:${process.pid}`,
      trigger: 'manual',
    })
    await state.acquireLease('orders', 'other-run', Date.now(), Date.now() + 60_000)

    const { code, stdout } = await dray(home, ['run', WORKFLOW])

    assert.equal(code, 3)
    assert.match(stdout, /orders refused: .*other-run/)
    assert.match(stdout, /customers +success/)
    assert.equal((await state.pipeline('orders'))?.leaseOwner, 'other-run')
    await state.releaseLease('orders', 'other-run')
  })

  it('leaves its services to others, which the log of the services shows no fault of', () => {
    assert.equal(readFileSync(join(home, 'logs/services.log'), 'utf8'), '')
  })
})
