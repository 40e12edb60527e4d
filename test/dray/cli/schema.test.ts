import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, beforeEach, describe, it } from 'node:test'
import { dray as drayIn, temporaryHome } from './dray-process.ts'

/* The command, as a process, over files of SQLite. */

describe('dray schema', () => {
  const { home, remove } = temporaryHome()
  const urls = Object.fromEntries(
    ['shop', 'till', 'lake'].map((name) => [
      `${name.toUpperCase()}_DATABASE_URL`,
      `sqlite:${join(home, `${name}.db`)}`,
    ]),
  )
  const dray = (...args: string[]) => drayIn(home, args, urls)
  let lake: DatabaseSync

  /** The statements of each table, in a document of the command. */
  async function statements(...args: string[]): Promise<Record<string, unknown>[]> {
    const { stdout, stderr } = await dray('schema', ...args, '--json')
    assert.equal(stderr, '')
    return JSON.parse(stdout).tables.flatMap((table: { statements: unknown[] }) => table.statements)
  }

  before(() => {
    lake = new DatabaseSync(join(home, 'lake.db'))
  })
  after(() => {
    lake.close()
    remove()
  })
  beforeEach(async () => {
    for (const table of ['customer_dim', 'order_fact', 'customer_sales', 'dray_fence'])
      lake.exec(`drop table if exists ${table}`)
    const { code, stderr } = await dray('schema', 'apply')
    assert.equal(code, 0, stderr)
  })

  it('makes the tables of all models that write, and has nothing to say of them then', async () => {
    const { code, stdout } = await dray('schema', 'plan')

    assert.deepEqual([code, stdout], [0, '3 tables looked at: every one fits its model.\n'])
    assert.deepEqual(await statements('apply'), [])
  })

  it('does what is safe without a question, and leaves the rest with the command that does it', async () => {
    lake.exec('alter table customer_dim drop column city; alter table customer_dim add column legacy blob')
    lake.exec("insert into customer_dim (id, full_name, legacy) values (1, 'Ann', x'00')")

    const planned = await dray('schema', 'plan')
    const applied = await dray('schema', 'apply', 'lake.customer_dim')
    const allowed = await dray('schema', 'apply', '--yes', '--allow', 'loss')

    assert.match(planned.stdout, /safe +adds city TEXT\n +alter table "customer_dim" add column "city" TEXT\n/)
    assert.match(planned.stdout, /loses data +drops legacy \(drops 1 value of 1 row; writers wait until it is done\)/)
    assert.match(
      planned.stdout,
      /2 statements: 1 safe, 1 loses data\.\n.*\n.*\n.*npx dray schema apply --allow loss\n$/,
    )
    assert.equal(applied.code, 0, applied.stderr)
    assert.match(applied.stdout, /done +adds city TEXT\n +left +drops legacy/)
    assert.match(applied.stdout, /1 statement left\. To do what is left: npx dray schema apply --allow loss\n$/)
    assert.match(allowed.stdout, /done +drops legacy/)
    assert.deepEqual(await statements('plan'), [])
    const recorded = lake
      .prepare('select mark, statement from dray_schema order by applied_at desc, mark limit 2')
      .all()
    assert.deepEqual(
      recorded.map(({ mark, statement }) => `${mark}: ${statement}`),
      [
        'loses data: alter table "customer_dim" drop column "legacy"',
        'safe: alter table "customer_dim" add column "city" TEXT',
      ],
    )
  })

  it('asks whether a column was renamed, and touches neither until it is said', async () => {
    lake.exec('alter table customer_dim rename column full_name to name')
    lake.exec("insert into customer_dim (id, name) values (1, 'Ann')")

    const asked = await dray('schema', 'apply', '--yes', '--allow', 'loss')
    const answer = /yes: npx dray (schema apply --rename \S+)/.exec(asked.stdout)?.[1] ?? ''
    const answered = await dray(...answer.split(' '))

    assert.equal(asked.code, 1)
    assert.match(asked.stdout, /question +is full_name the column name under another name\?/)
    assert.equal(answered.code, 0, answered.stderr)
    assert.equal(lake.prepare('select full_name from customer_dim').get()?.full_name, 'Ann')
  })

  it('makes a table anew that has another key and other types, as it was planned', async () => {
    lake.exec(
      'drop table customer_dim; create table customer_dim (id text, full_name text not null, email text, phone text, city text)',
    )
    lake.exec("insert into customer_dim (id, full_name) values ('1', 'Ann'), ('2', 'Bob')")

    const { code, stdout, stderr } = await dray('schema', 'apply', '--yes', '--allow', 'loss')

    assert.equal(code, 0, stderr)
    assert.match(stdout, /done +narrows id from TEXT to INTEGER, makes id NOT NULL, makes id the primary key/)
    assert.deepEqual(await statements('plan'), [])
    assert.deepEqual(
      lake.prepare('select id, typeof(id) as type, full_name from customer_dim').all().map(Object.values),
      [
        [1, 'integer', 'Ann'],
        [2, 'integer', 'Bob'],
      ],
    )
  })

  it('refuses what rows keep from being done, and counts them', async () => {
    lake.exec(
      'drop table customer_dim; create table customer_dim (id integer primary key, full_name text, email text, phone text, city text)',
    )
    lake.exec("insert into customer_dim (id, full_name) values (1, 'Ann'), (2, null)")

    const { code, stdout } = await dray('schema', 'apply', '--allow', 'rewrites')

    assert.equal(code, 1)
    assert.match(stdout, /left +makes full_name NOT NULL/)
    assert.match(stdout, /not done +1 of 2 rows are NULL in full_name/)
    assert.equal(lake.prepare('select count(*) as n from customer_dim').get()?.n, 2)
  })

  it('does not make a table that was lost with its rows, which the next run would not read', async () => {
    lake.exec('drop table order_fact; create table dray_fence (pipeline text, written_table text, mark text)')
    lake.exec("insert into dray_fence values ('orders', 'main.order_fact', '2024-01-01')")

    const { code, stdout } = await dray('schema', 'apply')

    assert.equal(code, 1)
    assert.match(stdout, /not done +orders has loaded this table before.*npx dray state reset orders\n/)
    assert.equal(lake.prepare("select count(*) as n from sqlite_schema where name = 'order_fact'").get()?.n, 0)
  })

  for (const [args, message] of [
    [['--env', 'production'], /There is no environment production/],
    [['lake.nothing'], /No model writes lake\.nothing.*there are lake\.customer_dim/],
    [['--rename', 'full_name'], /names no column.*--rename <database>\.<table>\.<column>=<name>/],
    [['--rename', 'lake.customer_dim.nope=full_name'], /nope of customer_dim cannot be renamed to full_name/],
    [['--rename', 'lake.nope.a=b'], /names lake\.nope, which no model writes/],
  ] as const) {
    it(`refuses in one line: schema plan ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await dray('schema', 'plan', ...args)

      assert.match(stderr, message)
      assert.deepEqual([code, stdout, stderr.trimEnd().split('\n').length], [2, '', 1])
    })
  }
})
