import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { type SmallProject, smallProject } from './small-project.ts'

const TABLES = `
  create table orders (id integer primary key, total integer, updated_at timestamp not null);
  create index orders_updated_at on orders (updated_at);
  insert into orders values (1, 10, '2026-01-01 10:00:00');
  create table lines (order_id integer not null, place integer not null, primary key (order_id, place));
  insert into lines values (1, 1), (1, 2);
  create table locked (id integer primary key, n varchar(2000));
  create view totals as select order_id, count(*) as lines from lines group by order_id;
`

describe('dray add --replicate', () => {
  let project: SmallProject
  const dray = (...args: string[]) =>
    project.dray(args, {
      SHOP_DATABASE_URL: `sqlite:${join(project.folder, 'shop.db')}`,
      LAKE_DATABASE_URL: `sqlite:${join(project.folder, 'lake.db')}`,
    })
  const read = (path: string) => readFileSync(join(project.folder, path), 'utf8')
  const inDatabase = (name: string, sql: string) => {
    const database = new DatabaseSync(join(project.folder, `${name}.db`))
    database.exec(sql)
    database.close()
  }

  before(async () => {
    project = await smallProject()
    inDatabase('shop', TABLES)
    inDatabase('lake', 'create table raw_locked (id integer primary key, n integer)')
  })
  after(() => project.remove())

  test('shows the declaration and writes nothing unless it is told yes', async () => {
    const { code, stdout } = await dray('add', 'shop.*', '--replicate')

    assert.equal(code, 0)
    assert.match(stdout, /^\+export const shopRaw = replicate\('shop-raw', \{$/m)
    assert.match(stdout, /^2 tables: 1 by what has changed, 1 whole in each run\.$/m)
    assert.match(stdout, /^left out: locked: .*n of lake\.raw_locked is INTEGER, which does not hold its values/m)
    assert.match(stdout, /Nothing was written; add --yes to write it\./)
    assert.ok(!existsSync(join(project.folder, 'functions/shop-raw')))
  })

  test('refuses what is no replica', async () => {
    const refused = async (...args: string[]) => (await dray('add', ...args, '--replicate')).stderr

    assert.match(await refused('shop.*', '--to', 'lake.orders'), /names a table, and a replica has many/)
    assert.match(await refused('shop.*', '--to', 'shop'), /shop would be copied into itself/)
    assert.match(await refused('shop.*', '--key', 'id'), /--key names the key of one table/)
  })

  test('writes the declaration, three handlers and the step, which run as they are', async () => {
    const written = await dray('add', 'shop.*', '--replicate', '--yes')
    const view = await dray('add', 'shop.totals', '--replicate', '--name', 'totals', '--key', 'order_id', '--yes')

    assert.deepEqual([written.code, view.code], [0, 0], written.stderr + view.stderr)
    assert.equal(
      read('functions/shop-raw/pipeline.ts').slice(read('functions/shop-raw/pipeline.ts').indexOf('export')),
      `export const shopRaw = replicate('shop-raw', {
  from: shop,
  tables: ['*', '!locked'],
  into: lake,
  name: (table) => \`raw_\${table.name}\`,
  cursor: 'updated_at',
})
`,
    )
    assert.match(
      read('functions/totals/pipeline.ts'),
      /tables: 'totals',[\s\S]*overrides: \{\n {4}totals: \{ key: 'order_id' \},\n {2}\},/,
    )
    assert.match(read('infra/workflows/nightly.ts'), /steps: \[run\(settings\), run\(shopRaw\), run\(totals\)\]/)
    assert.equal(await project.check(), '')
    const run = await dray('run', '--only', 'shop-raw,totals', '--json', '--progress', 'none')
    assert.equal(run.code, 0, run.stdout)
    assert.deepEqual(
      JSON.parse(run.stdout).tables.map(({ step, inserted }: Record<string, unknown>) => [step, inserted]),
      [
        ['shop-raw/lines', 2],
        ['shop-raw/orders', 1],
        ['totals/totals', 1],
      ],
    )
  })
})
