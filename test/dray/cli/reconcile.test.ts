import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { dray, temporaryHome } from './dray-process.ts'

/* The verb, over files of SQLite. */

describe('dray reconcile', () => {
  const { home, remove } = temporaryHome()
  const file = (name: string) => join(home, `${name}.db`)
  const environment = {
    SHOP_DATABASE_URL: `sqlite:${file('shop')}`,
    TILL_DATABASE_URL: `sqlite:${file('till')}`,
    LAKE_DATABASE_URL: `sqlite:${file('lake')}`,
  }
  const reconcile = (...options: string[]) => dray(home, ['reconcile', 'customers', ...options], environment)

  function statement(name: string, sql: string): void {
    const database = new DatabaseSync(file(name))
    database.exec(sql)
    database.close()
  }

  before(async () => {
    statement(
      'shop',
      `create table customers (id integer primary key, name text, email text, phone text, address text, created_at text);
       insert into customers (id, name, email) values (1, 'Ada', 'ada@example.com'), (2, 'Bea', null), (3, 'Cleo', null)`,
    )
    const { code, stderr } = await dray(home, ['run', 'customers', '--progress', 'none'], environment)
    assert.equal(code, 0, stderr)
  })
  after(remove)

  it('ends with 0 where nothing differs', async () => {
    const { code, stdout } = await reconcile()

    assert.equal(code, 0)
    assert.match(stdout, /shop\.customers: 3 rows; lake\.customer_dim: 3 rows\./)
    assert.match(stdout, /^customers: no differences\.$/m)
  })

  it('prints what differs and ends with 1; a fix loads it again, and extra rows stay', async () => {
    statement(
      'lake',
      `delete from customer_dim where id = 1; update customer_dim set full_name = 'Eve' where id = 2;
       insert into customer_dim (id, full_name) values (9, 'Nobody')`,
    )
    const first = await reconcile('--json')
    const fixed = await reconcile('--fix')
    const last = await reconcile('--deep', '--json')

    assert.equal(first.code, 1, first.stderr)
    assert.deepEqual(JSON.parse(first.stdout).differences, [
      { kind: 'missing', key: { id: '1' }, columns: [] },
      { kind: 'different', key: { id: '2' }, columns: ['full_name'] },
      { kind: 'extra', key: { id: '9' }, columns: [] },
    ])
    assert.equal(fixed.code, 1, fixed.stderr)
    assert.match(fixed.stdout, /^different +id=2 +full_name$/m)
    assert.match(
      fixed.stdout,
      /Loaded again: 2 rows read, 2 written, 0 quarantined\.\nLeft: 0 missing, 1 extra, 0 different\./,
    )
    assert.deepEqual(JSON.parse(last.stdout).counts, { missing: 0, extra: 1, different: 0 })
  })

  it('refuses a pipeline that there is not', async () => {
    const { code, stderr } = await dray(home, ['reconcile', 'nothing'], environment)

    assert.equal(code, 2)
    assert.match(stderr, /There is no pipeline nothing, so nothing was done; there are customers, orders\./)
  })
})
