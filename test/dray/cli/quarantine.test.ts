import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { dray as drayIn, temporaryHome } from './dray-process.ts'

/* The quarantine's verbs, as processes, over three files of SQLite. */

/** Right to left, zero width, a bell, a byte order mark. */
const HIDDEN = 'evil\u202Etxt\u200B\u0007\uFEFF'

describe('dray quarantine', () => {
  const { home, remove } = temporaryHome()
  const file = (name: string) => join(home, `${name}.db`)
  const urls = Object.fromEntries(
    ['shop', 'till', 'lake'].map((name) => [`${name.toUpperCase()}_DATABASE_URL`, `sqlite:${file(name)}`]),
  )
  let shop: DatabaseSync
  let till: DatabaseSync

  const dray = (...args: string[]) => drayIn(home, args, urls)
  async function json(...args: string[]) {
    const { code, stdout, stderr } = await dray(...args, '--json')
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout)
  }
  const objects = (of: string) => {
    const folder = join(home, 'staging', of)
    const entries = !existsSync(folder) ? [] : readdirSync(folder, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  }

  before(async () => {
    shop = new DatabaseSync(file('shop'))
    shop.exec(
      'create table customers (id integer primary key, name text, email text, phone text, address text, created_at text)',
    )
    const insert = shop.prepare('insert into customers (id, name, email) values (?, ?, ?)')
    insert.run(1, 'Ann', 'ann@example.com')
    insert.run(2, '', HIDDEN)
    insert.run(3, '', null)
    insert.run(4, 'Dan', HIDDEN)
    insert.run(5, 'Eve', 'no address')
    till = new DatabaseSync(file('till'))
    till.exec(
      'create table orders (id integer primary key, customer_id integer, order_date text, total_amount text, status text, last_updated text)',
    )
    till.exec("insert into orders values (1, null, '2024-01-01 00:00:00', '1.00', 'new', '2024-01-01 00:00:00')")
    const { code, stderr } = await dray('run', 'nightly')
    assert.equal(code, 0, stderr)
  })
  after(async () => {
    shop.close()
    till.close()
    remove()
  })

  it('lists and shows what is open; what has landed since by a usual run comes with --all', async () => {
    const before = await json('quarantine', 'list', 'customers')
    shop.exec("update customers set name = 'Cid' where id = 3")
    const { run_id: second } = await json('run', 'customers')

    const open = await json('quarantine')
    const all = await json('quarantine', 'list', '--all')
    const shown = await json('quarantine', 'show', 'customers')
    const whole = await json('quarantine', 'show', 'customers', '--all')
    const text = await dray('quarantine', 'list')

    const places = ({ quarantine }: { quarantine: { pipeline: string; rows: number; open: number }[] }) =>
      quarantine.map(({ pipeline, rows, open }) => [pipeline, rows, open])
    assert.deepEqual(places(before), [['customers', 2, 2]])
    assert.deepEqual(places(open), [
      ['customers', 1, 1],
      ['orders', 1, 1],
    ])
    assert.deepEqual(places(all), [
      ['customers', 2, 0],
      ['customers', 1, 1],
      ['orders', 1, 1],
    ])
    assert.deepEqual([all.quarantine[0].landed, all.quarantine[0].superseded, all.notes], [1, 1, []])
    assert.deepEqual(open.quarantine[0].reasons, { 'name missing': 1 })
    assert.deepEqual(
      shown.rows.map(({ run_id: run, row, state }: { run_id: string; row: { id: string }; state: string }) => [
        run,
        row.id,
        state,
      ]),
      [[second, '2', 'open']],
    )
    assert.deepEqual(
      [whole.total, whole.rows.map(({ row, state }: { row: { id: string }; state: string }) => [row.id, state]).sort()],
      [
        3,
        [
          ['2', 'open'],
          ['2', 'superseded'],
          ['3', 'landed'],
        ],
      ],
    )
    const landed = whole.rows.find(({ state }: { state: string }) => state === 'landed')
    assert.equal(landed.record.by, second)
    assert.match(text.stdout, /2 rows closed: `npx dray quarantine list --all`/)
    assert.equal((await json('quarantine', 'show', landed.id)).rows[0].state, 'landed')
  })

  it('findings counts rows by field and code, and shows them', async () => {
    const { findings } = await json('quarantine', 'findings')
    const [{ run_id: run, rows: count }] = findings
    const { rows, total, notes } = await json('quarantine', 'findings', run, '--limit', '1')
    const ofPipeline = await json('quarantine', 'findings', 'customers')
    const table = await dray('quarantine', 'findings')
    const nothing = await dray('quarantine', 'findings', 'nowhere')

    assert.deepEqual([findings.length, findings[0].pipeline, count, total, rows.length], [2, 'customers', 2, 2, 1])
    const [[name, counted]] = Object.entries(findings[0].findings) as [[string, number]]
    assert.match(name, /^email /)
    assert.ok(counted >= 1)
    assert.deepEqual([rows[0].row.id, rows[0].errors[0].field, notes], ['4', 'email', []])
    assert.equal(ofPipeline.total, 4)
    assert.match(table.stdout, /pipeline +run +rows +findings\n/)
    assert.deepEqual([nothing.code, nothing.stdout], [2, ''])
    assert.match(nothing.stderr, /No row with a finding is of nowhere/)
  })

  it('prints escaped what a terminal would not show, in text and in JSON', async () => {
    const text = await dray('quarantine', 'show', 'customers')
    const findings = await dray('quarantine', 'findings', 'customers')
    const preview = await dray('preview', 'customers')
    const raw = await dray('quarantine', 'show', 'customers', '--json')

    for (const { stdout } of [text, findings, preview, raw]) {
      assert.match(stdout, /evil\\u202etxt\\u200b\\u0007\\ufeff/)
      assert.deepEqual(
        [...'\u202E\u200B\u0007\uFEFF'].filter((character) => stdout.includes(character)),
        [],
      )
    }
    assert.equal(JSON.parse(raw.stdout).rows[0].row.email, HIDDEN)
  })

  it('works with all other rows where an object is damaged, and says which one', async () => {
    const [broken] = objects('quarantine/orders')
    truncateSync(broken as string, 150)

    const list = await json('quarantine', 'list')
    const text = await dray('quarantine', 'list')
    const show = await dray('quarantine', 'show', 'customers')
    const shown = await dray('quarantine', 'show', 'orders')
    const replay = await dray('quarantine', 'replay', 'orders', '--progress', 'none')
    const reconcile = await json('reconcile', 'orders')
    const discard = await json('quarantine', 'discard', 'customers', '--yes')

    assert.deepEqual(
      list.quarantine.map(({ pipeline }: { pipeline: string }) => pipeline),
      ['customers'],
    )
    assert.match(list.notes.join(), /quarantine\/orders\/.* is damaged, so its rows are left out.*put a copy/)
    assert.match(text.stdout, /^note: .*quarantine\/orders\/.* is damaged/m)
    assert.equal(show.code, 0)
    assert.match(shown.stderr, /quarantine\/orders\/.* is damaged/)
    assert.deepEqual([replay.code, replay.stdout], [2, ''])
    assert.match(replay.stderr, /is damaged[\s\S]*has no open row/)
    assert.match(reconcile.notes.join(), /quarantine\/orders\/.* is damaged/)
    assert.equal(discard.discarded.length, 1)
    const closed = await dray('quarantine', 'show', 'customers')
    assert.equal(closed.code, 0)
    assert.match(
      closed.stdout,
      /^No row of customers is open; 3 are closed, which `npx dray quarantine show customers --all`/,
    )
  })

  it('prune removes what is closed once it is confirmed, and no open row', async () => {
    shop.exec("insert into customers (id, name) values (9, '')")
    await json('run', 'customers')
    const nothing = await dray('quarantine', 'prune', 'customers')
    const ago = new Date(Date.now() - 40 * 24 * 3600 * 1000).toISOString()
    for (const log of objects('quarantine-log/customers')) {
      writeFileSync(log, readFileSync(log, 'utf8').replaceAll(/"at":"[^"]+"/g, `"at":"${ago}"`))
    }
    const refused = await dray('quarantine', 'prune', 'customers')
    const before = (await json('quarantine', 'list', 'customers', '--all')).quarantine
    const { pruned } = await json('quarantine', 'prune', 'customers', '--yes')

    const { quarantine } = await json('quarantine', 'list', 'customers', '--all')

    assert.deepEqual([nothing.code, refused.code, before.length], [0, 2, 3])
    assert.match(nothing.stdout, /Nothing was closed so long ago/)
    assert.match(refused.stderr, /3 rows that were closed more than 30 days ago would go for good\..*--yes/)
    assert.deepEqual(pruned, [{ pipeline: 'customers', rows: 3 }])
    assert.deepEqual(
      quarantine.map(({ rows, open }: { rows: number; open: number }) => [rows, open]),
      [[2, 2]],
    )
    assert.deepEqual(objects('quarantine-log/customers'), [])
  })

  it('takes --limit up to all rows that there are, as it says itself', async () => {
    const { total } = await json('quarantine', 'show', 'customers', '--all', '--limit', '500000')
    const few = await dray('quarantine', 'show', 'customers', '--all', '--limit', '1')
    const refused = await dray('quarantine', 'show', 'customers', '--limit', '0')

    assert.match(few.stdout, new RegExp(`${total - 1} more rows?; see them with --limit ${total}\\.`))
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /--limit 0 is not a number from 1 to 999999999/)
  })
})
