import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { dray, type Ended, temporaryHome } from './dray-process.ts'

/* What `npm start` does, twice, over the embedded databases. */

const start = ['run', 'daily-data-warehouse-update', '--demo', '--json', '--progress', 'log']

interface Step {
  readonly name: string
  readonly status: string
  readonly read: number
  readonly inserted: number
  readonly updated: number
  readonly unchanged: number
  readonly filtered: number
  readonly duplicate: number
  readonly quarantined: number
}

describe('npm start', () => {
  const { home, remove } = temporaryHome()
  let first: Ended
  let second: Ended

  const steps = (ended: Ended) =>
    new Map((JSON.parse(ended.stdout).steps as Step[]).map((step) => [step.name, step] as const))
  const step = (ended: Ended, name: string) => steps(ended).get(name) as Step

  before(async () => {
    first = await dray(home, start)
    second = await dray(home, start)
  })
  after(remove)

  it('fills the empty databases and loads all of it, poison to the quarantine', () => {
    const customers = step(first, 'customers')
    const orders = step(first, 'orders')

    assert.equal(first.code, 0, first.stderr)
    assert.match(first.stderr, /^Demo: filling crm\.customers with 20,000 rows\.$/m)
    assert.equal(customers.read, 20_000)
    assert.equal(orders.read, 200_000)
    assert.ok(customers.quarantined > 0 && customers.quarantined < 20)
    assert.ok(orders.quarantined > 0 && orders.quarantined < 20)
  })

  it('accounts for every row', () => {
    for (const ended of [first, second]) {
      for (const name of ['customers', 'orders']) {
        const { read, inserted, updated, unchanged, filtered, duplicate, quarantined } = step(ended, name)
        assert.equal(inserted + updated + unchanged + filtered + duplicate + quarantined, read, name)
      }
    }
  })

  it('applies a day of changes the second time and reads only the changed orders', () => {
    const orders = step(second, 'orders')

    assert.equal(second.code, 0, second.stderr)
    assert.match(second.stderr, /^Demo: day 1 changed 1,600 orders and 200 customers, and brought 800 new orders/m)
    assert.equal(orders.read, 2_400)
    assert.equal(orders.inserted, 800)
    assert.ok(orders.updated > 1_000)
  })

  it('leaves data of the user alone', async () => {
    const other = temporaryHome()
    const database = new DatabaseSync(join(other.home, 'crm.db'))
    database.exec(
      "create table customers (id integer primary key, name, email, phone, address, created_at); insert into customers (id, name) values (1, 'Ada')",
    )
    database.close()
    const environment = {
      SALES_DATABASE_URL: `sqlite:${join(other.home, 'sales.db')}`,
      WAREHOUSE_DATABASE_URL: `sqlite:${join(other.home, 'warehouse.db')}`,
    }

    const { stderr } = await dray(other.home, ['run', 'customers', '--demo', '--progress', 'log'], environment)

    assert.match(stderr, /hold data of their own, so no demo data is added/)
    assert.equal(existsSync(join(other.home, 'demo.json')), false)
    other.remove()
  })
})
