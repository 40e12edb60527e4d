import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { dray, temporaryHome } from './dray-process.ts'
import { NO_TERMINAL, onTerminal } from './terminal.ts'

const RANGE = ['backfill', 'orders', '--from', '2024-01-01', '--to', '2024-02-01', '--chunk', '31d']

describe('dray backfill of more than 100,000 rows', () => {
  const { home, remove } = temporaryHome()
  const urls = Object.fromEntries(
    ['SHOP', 'TILL', 'LAKE'].map((name) => [`${name}_DATABASE_URL`, `sqlite:${join(home, `${name}.db`)}`]),
  )
  const till = new DatabaseSync(join(home, 'TILL.db'))
  const lake = new DatabaseSync(join(home, 'LAKE.db'))
  const loaded = () => lake.prepare('select count(*) as rows from order_fact').get()?.rows

  before(async () => {
    till.exec(
      `create table orders (id integer primary key, customer_id integer, order_date text, total_amount text, status text, last_updated text);
      with recursive n(i) as (select 1 union all select i + 1 from n where i < 100001)
      insert into orders select i, 1, '2024-01-01 00:00:00', '1.00', 'new', '2024-01-01 12:00:00' from n`,
    )
    assert.equal((await dray(home, ['schema', 'apply'], urls)).code, 0)
  })
  after(() => {
    till.close()
    lake.close()
    remove()
  })

  it('says how many they are and is refused where nobody can be asked, with the command that loads them', async () => {
    const { code, stdout, stderr } = await dray(home, RANGE, urls)

    assert.match(
      stderr,
      /^dray: orders has 100,001 rows from 2024-01-01 to 2024-02-01, .*`npx dray backfill orders --from 2024-01-01 --to 2024-02-01 --chunk 31d --yes` loads them\.$/m,
    )
    assert.deepEqual([code, stdout, loaded()], [2, '', 0])
  })

  it('asks on a terminal, and loads nothing where the answer is no', { skip: NO_TERMINAL }, async () => {
    const { code, output, asked } = await onTerminal(RANGE, { home, urls, answers: ['n\n'] })

    assert.match(output, /orders has 100,001 rows from 2024-01-01 to 2024-02-01\. Load them again\? \[y\/N\]/)
    assert.deepEqual([code, asked, loaded()], [2, 1, 0], output)
  })

  it('is not asked about with --yes', async () => {
    const { code, stderr } = await dray(home, [...RANGE, '--yes', '--progress', 'none'], urls)

    assert.equal(code, 0, stderr)
    assert.equal(loaded(), 100_001)
  })

  it('is loaded without a question where it is no more than that', async () => {
    till.exec('delete from orders where id > 3')

    const { code, stderr } = await dray(home, [...RANGE, '--progress', 'none'], urls)

    assert.equal(code, 0, stderr)
  })
})
