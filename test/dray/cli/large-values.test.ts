import assert from 'node:assert/strict'
import { createWriteStream, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { finished } from 'node:stream/promises'
import { after, before, describe, it } from 'node:test'
import { dray as drayIn, temporaryHome } from './dray-process.ts'

/* One value of 256 MiB among ten thousand short ones, and a heap that is smaller. */

const HUGE = 256 * 1024 * 1024
const HEAP = { NODE_OPTIONS: '--max-old-space-size=160' }

describe('dray, where a row holds a value larger than the heap', () => {
  const { home, remove } = temporaryHome()
  const file = (name: string) => join(home, `${name}.db`)
  const urls = Object.fromEntries(
    ['shop', 'till', 'lake'].map((name) => [`${name.toUpperCase()}_DATABASE_URL`, `sqlite:${file(name)}`]),
  )
  let shop: DatabaseSync

  const dray = (...args: string[]) => drayIn(home, args, { ...urls, ...HEAP })
  async function json(...args: string[]) {
    const { code, stdout, stderr } = await dray(...args, '--json')
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout)
  }

  before(async () => {
    shop = new DatabaseSync(file('shop'))
    shop.exec(`create table customers (id integer primary key, name text, email text, phone text, address text, created_at text);
      insert into customers (id, name) with recursive n (i) as (select 1 union all select i + 1 from n where i < 10000) select i, 'Ann ' || i from n;
      update customers set address = cast(zeroblob(${HUGE}) as text) where id = 5000`)
  })
  after(async () => {
    shop.close()
    remove()
  })

  it('loads the others, and quarantines that row with the length of the value', async () => {
    const { code, stderr } = await dray('run', 'customers', '--json')

    assert.equal(code, 0, stderr)
    const { quarantine } = await json('quarantine', 'list')
    assert.deepEqual(
      quarantine.map(({ rows, reasons }: never) => [rows, reasons]),
      [[1, { 'address too_large': 1 }]],
    )
    const shown = await json('quarantine', 'show', 'customers')
    assert.deepEqual([shown.rows[0].row.id, shown.rows[0].row.name], ['5000', 'Ann 5000'])
    assert.match(shown.rows[0].errors[0].message, /the value has 268435456 bytes/)
  })

  it('reconciles, previews, and replays the row once it is shorter', async () => {
    const before = await json('reconcile', 'customers')
    const preview = await json('preview', 'customers', '--keys', '5000')
    const still = await dray('quarantine', 'replay', 'customers')
    shop.exec("update customers set address = 'Mannerheimintie 1, Helsinki, 00100' where id = 5000")
    const mended = await dray('quarantine', 'replay', 'customers')
    const after = await json('reconcile', 'customers')

    assert.deepEqual([before.counts, before.left_out.quarantined], [{ missing: 0, extra: 0, different: 0 }, 1])
    assert.equal(preview.rows[0].errors[0].code, 'too_large')
    assert.deepEqual([still.code, mended.code], [0, 0], still.stderr + mended.stderr)
    assert.deepEqual([after.counts, after.left_out.quarantined], [{ missing: 0, extra: 0, different: 0 }, 0])
  })

  it('quarantines rows that are more together than the heap holds, in their whole length', async () => {
    shop.exec('update customers set name = hex(zeroblob(1500000)) where id % 101 = 7')

    const { code, stderr } = await dray('run', 'customers', '--json')

    assert.equal(code, 0, stderr)
    const { quarantine } = await json('quarantine', 'list')
    assert.deepEqual(
      quarantine.map(({ rows }: never) => rows),
      [99],
    )
    const staged = readdirSync(join(home, 'staging', 'quarantine', 'customers'), { recursive: true, encoding: 'utf8' })
    const sizes = staged.map((name) => statSync(join(home, 'staging', 'quarantine', 'customers', name)).size)
    assert.ok(Math.max(...sizes) > 99 * 3_000_000)
  })

  it('refuses a file of such a value by the line, without holding it', async () => {
    const path = join(home, 'huge.csv')
    const csv = createWriteStream(path)
    csv.write('id,name\n1,Ann\n2,"')
    for (let written = 0; written < HUGE; written += 1024 * 1024) csv.write('x'.repeat(1024 * 1024))
    csv.end('"\n')
    await finished(csv)

    const { code, stderr } = await dray('import', 'csv', path, '--into', 'shop.customers')

    assert.equal(code, 1, stderr)
    assert.match(stderr, /line 3: the record that begins here has more than 64 MiB/)
  })
})
