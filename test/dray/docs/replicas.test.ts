import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { type SmallProject, smallProject } from '#test/add/small-project.ts'
import { type Block, blocksOf, commandsOf, readPage, wordsOf } from './page.ts'

const TABLES = `
  create table customers (id integer primary key, name text, email text);
  insert into customers values (1, 'Ann', 'ann@example.org'), (2, 'Bo', null);
  create table orders (id integer primary key, total decimal(10, 2) not null, is_open integer not null, changed_on timestamp not null);
  create index orders_changed_on on orders (changed_on);
  insert into orders values (1, 9.99, 1, '2026-01-10 10:00:00'), (2, 100.25, 0, '2026-01-11 10:00:00');
  create table log (what text);
  insert into log values ('a'), ('a');
  create table audit_rows (id integer primary key);
  create view open_orders as select id, total from orders where is_open = 1;
`

const DATABASE = `import { database } from 'dray'\n\nexport const sales = database('sales')\n`

/** An import that is none of this file. */
const use = (names: string, from: string) => `import ${names} from '${from}'\n`

const PROJECT = `${use('{ defineProject }', 'dray-infra')}${use('{ hourly }', './workflows/hourly.ts')}${use('{ nightly }', './workflows/nightly.ts')}
export const project = defineProject({
  workflows: [nightly, hourly],
  environments: {},
  databases: { sales: { embedded: 'sqlite' }, warehouse: { embedded: 'sqlite' } },
  main: nightly,
})
`

const handler = (stage: string, constant: string) =>
  `import { ${stage}Handler } from 'dray/lambda'\nimport { ${constant} } from './pipeline.ts'\n\nexport const handler = ${stage}Handler(${constant})\n`

describe('what docs/replicas.md shows', () => {
  let project: SmallProject
  let blocks: readonly Block[]
  const at = (name: string) => join(project.folder, name)
  const commands = () => blocks.flatMap(({ kind, text }) => (kind === 'sh' ? commandsOf(text) : []))
  const dray = (command: string) =>
    project.dray(wordsOf(command).slice(2), {
      SALES_DATABASE_URL: `sqlite:${at('sales.db')}`,
      WAREHOUSE_DATABASE_URL: `sqlite:${at('warehouse.db')}`,
    })
  async function file(path: string, text: string): Promise<void> {
    await mkdir(at(join(path, '..')), { recursive: true })
    await writeFile(at(path), text)
  }

  before(async () => {
    project = await smallProject()
    blocks = blocksOf(readPage('docs/replicas.md'))
    const sales = new DatabaseSync(at('sales.db'))
    sales.exec(TABLES)
    sales.close()
    await file('shared/models/sales.ts', DATABASE)
    await file(
      'infra/project.ts',
      (await readFile(at('infra/project.ts'), 'utf8')).replace(
        'databases: {',
        "databases: { sales: { embedded: 'sqlite' }, warehouse: { embedded: 'sqlite' },",
      ),
    )
  })
  after(() => project.remove())

  test('the command that writes a declaration shows one', async () => {
    const [add = ''] = commands()

    const { code, stdout, stderr } = await dray(add)

    assert.equal(code, 0, stderr)
    assert.match(stdout, /^\+export const salesRaw = replicate\('sales-raw', \{$/m)
  })

  test('the examples are a project that the compiler takes', async () => {
    for (const { kind, text } of blocks) {
      const [, path] = /^\/\/ (\S+\.ts)\n/.exec(text) ?? []
      if (kind === 'ts') await file(path as string, text)
    }
    await file('infra/project.ts', PROJECT)
    for (const stage of ['extract', 'transform', 'load']) {
      await file(`functions/sales-raw/${stage}.ts`, handler(stage, 'salesRaw'))
      await file(`functions/order-totals/${stage}.ts`, handler(stage, 'orderTotals'))
    }

    assert.equal(await project.check(), '')
  })

  test('each command does what it says', async () => {
    for (const command of commands().slice(1)) {
      const { code, stdout, stderr } = await dray(command)

      assert.equal(code, 0, `${command}\n${stdout}${stderr}`)
    }

    const warehouse = new DatabaseSync(at('warehouse.db'))
    const all = (sql: string) =>
      warehouse
        .prepare(sql)
        .all()
        .map((row) => Object.values(row))
    assert.deepEqual(all('select id, name, email from raw_customers order by id'), [
      [1, 'Ann', null],
      [2, 'Bo', null],
    ])
    assert.deepEqual(all('select id from raw_open_orders'), [[1]])
    assert.equal(all('select order_id, total from order_total').length, 2)
    assert.deepEqual(all("select count(*) from sqlite_master where name = 'raw_audit_rows'"), [[0]])
    warehouse.close()
  })
})
