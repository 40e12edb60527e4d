import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, beforeEach, describe, it } from 'node:test'
import { sharedData, withoutSharedData } from '#test/shared-data.ts'
import { dray, type Ended, temporaryHome } from './dray-process.ts'

/*
 * The real job on real input, with SQLite behind all three names: a command takes a second, and the files can be looked
 * into.
 */

const chinook = sharedData('chinook')
const WORKFLOW = 'nightly'

interface Step {
  readonly step: string
  readonly status: string
  readonly reason: string | null
  readonly read: number
  readonly inserted: number
  readonly updated: number
  readonly unchanged: number
  readonly quarantined: number
  readonly last_run_before: string | null
  readonly last_run_after: string | null
}

describe('dray run, on the Chinook data', { skip: withoutSharedData }, () => {
  let home: string
  let remove: () => void
  let environment: NodeJS.ProcessEnv

  const run = (...args: string[]): Promise<Ended> => dray(home, args, environment)

  async function runJson(): Promise<Ended & { document: { run_id: string; status: string; steps: Step[] } }> {
    const ended = await run('run', WORKFLOW, '--json')
    return { ...ended, document: JSON.parse(ended.stdout) }
  }

  function inDatabase<T>(name: string, work: (database: DatabaseSync) => T): T {
    const database = new DatabaseSync(join(home, `${name}.db`))
    try {
      return work(database)
    } finally {
      database.close()
    }
  }

  const all = (name: string, sql: string) =>
    inDatabase(name, (database) => database.prepare(sql).all() as Record<string, unknown>[])

  async function prepare(): Promise<void> {
    const temporary = temporaryHome()
    home = temporary.home
    remove = temporary.remove
    environment = {}
    for (const name of ['shop', 'till', 'lake']) {
      environment[`${name.toUpperCase()}_DATABASE_URL`] = `sqlite:${join(home, `${name}.db`)}`
    }
    for (const [file, into] of [
      ['customers', 'shop.customers'],
      ['orders', 'till.orders'],
    ]) {
      const { code, stderr } = await run('import', 'csv', join(chinook, `${file}.csv`), '--into', into as string)
      assert.equal(code, 0, stderr)
    }
  }

  describe('for the first time', () => {
    let first: Awaited<ReturnType<typeof runJson>>

    before(async () => {
      await prepare()
      first = await runJson()
    })
    after(() => remove())

    it('succeeds and prints one JSON document', () => {
      assert.equal(first.code, 0, first.stderr)
      assert.equal(first.document.status, 'success')
      assert.deepEqual(
        first.document.steps.map(({ step, status, read, inserted }) => ({ step, status, read, inserted })),
        [
          { step: 'customers', status: 'success', read: 59, inserted: 59 },
          { step: 'orders', status: 'success', read: 412, inserted: 412 },
          { step: 'data-mart', status: 'success', read: first.document.steps[2]?.read, inserted: 59 },
        ],
      )
    })

    it('carries the sums of money to the cent', () => {
      const [source] = all('till', 'select sum(round(total_amount * 100)) as cents from orders')
      const [fact] = all('lake', 'select sum(round(order_amount * 100)) as cents from order_fact')
      const [mart] = all('lake', 'select sum(round(revenue * 100)) as cents from customer_sales')

      assert.equal(source?.cents, 232_860)
      assert.equal(fact?.cents, source?.cents)
      assert.equal(mart?.cents, source?.cents)
    })

    it('keeps every accented character', () => {
      const lines = readFileSync(join(chinook, 'customers.csv'), 'utf8').split('\n').slice(1).filter(Boolean)
      const names = lines.map((line) => /^\d+,"?([^",]+)/.exec(line)?.[1])

      const loaded = all('lake', 'select full_name from customer_dim order by id').map((row) => row.full_name)

      assert.deepEqual(loaded, names)
      assert.ok(loaded.includes('František Wichterlová'))
    })

    it('reads nothing of orders again, and finds customers unchanged', async () => {
      const { code, document, stderr } = await runJson()
      const [customers, orders] = document.steps

      assert.equal(code, 0, stderr)
      assert.deepEqual([customers?.read, customers?.unchanged], [59, 59])
      assert.equal(orders?.read, 0)
      assert.equal(orders?.last_run_before, first.document.steps[1]?.last_run_after)
    })

    it('is listed, and shown with its steps', async () => {
      const list = JSON.parse((await run('runs', '--json')).stdout)
      const shown = await run('runs', 'show', first.document.run_id)
      const state = JSON.parse((await run('state', 'show', '--json')).stdout)

      assert.ok(list.runs.some((entry: { run_id: string; status: string }) => entry.run_id === first.document.run_id))
      assert.match(shown.stdout, /orders +success +412/)
      assert.ok(state.pipelines.every((pipeline: { lease_owner: string | null }) => pipeline.lease_owner === null))
    })

    it('runs one pipeline alone', async () => {
      const { code, stdout, stderr } = await run('run', 'customers')

      assert.equal(code, 0, stderr)
      assert.match(stdout, /customers +success +59/)
      assert.doesNotMatch(stdout, /data-mart/)
    })
  })

  describe('with the table of orders renamed', () => {
    beforeEach(async () => {
      await prepare()
      await runJson()
      inDatabase('till', (database) => database.exec('alter table orders rename to orders_old'))
    })
    after(() => remove())

    it('loads customers, skips the data mart, keeps last_run, and succeeds after the repair', async () => {
      const before = JSON.parse((await run('state', 'show', 'orders', '--json')).stdout).pipelines[0].last_run
      const failed = await runJson()
      const between = JSON.parse((await run('state', 'show', 'orders', '--json')).stdout).pipelines[0].last_run
      inDatabase('till', (database) => database.exec('alter table orders_old rename to orders'))
      const repaired = await runJson()

      assert.equal(failed.code, 1)
      assert.deepEqual(
        failed.document.steps.map(({ step, status }) => `${step} ${status}`),
        ['customers success', 'orders failed', 'data-mart skipped'],
      )
      assert.match(failed.document.steps[1]?.reason ?? '', /till\.orders|orders/)
      assert.match(failed.document.steps[2]?.reason ?? '', /orders/)
      assert.equal(between, before)
      assert.equal(repaired.code, 0, repaired.stderr)
    })
  })
})
