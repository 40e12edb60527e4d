import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { fixtureFolder } from '#test/fixture-project.ts'
import { writeProject } from '#test/services/small-project.ts'
import { startDray, temporaryHome } from './dray-process.ts'

/* Checks and owners as the command shows them, over files of SQLite. */

/** An import that is none of this file. */
const use = (names: string, from: string) => `import ${names} from '${from}'\n`
const handler = (unit: string, file: string, stage: string) =>
  `import { ${stage}Handler } from 'dray/lambda'\nimport { ${unit} } from './${file}.ts'\nexport const handler = ${stage}Handler(${unit})\n`
const files = {
  'infra/project.ts': `${use('{ defineProject }', 'dray-infra')}${use('{ nightly }', './nightly.ts')}export const project = defineProject({
  workflows: [nightly], environments: {}, databases: { src: { embedded: 'sqlite' }, dst: { embedded: 'sqlite' } }, main: nightly,
})`,
  'infra/nightly.ts': `${use('{ run, workflow }', 'dray/workflow')}${use('{ orders }', '#functions/orders/pipeline.ts')}${use('{ sums }', '#functions/sums/task.ts')}export const nightly = workflow('nightly', { steps: [run(orders), run(sums, { after: [orders] })], owner: 'warehouse team' })`,
  'shared/models/models.ts': `${use('{ bigint, database, text }', 'dray')}export const src = database('src')
export const dst = database('dst')
const fields = { id: bigint().primaryKey(), status: text().nullable(), code: text().nullable() }
export class Order extends src.source('orders', fields) {}
export class Fact extends dst.table('order_fact', fields) {}`,
  'functions/orders/pipeline.ts': `${use('{ accepted, fullLoad, pipeline, unique, upsert }', 'dray')}${use('{ Fact, Order }', '#models/models.ts')}export const orders = pipeline('orders', {
  extract: fullLoad(Order), transform: (order) => ({ ...order }), load: upsert(Fact, { by: 'id' }),
  checks: [unique('code'), accepted('status', ['paid'], { severity: 'warn' })],
  owner: 'data team <data@example.org>',
})`,
  'functions/sums/task.ts': `${use('{ checked, rowCount, task }', 'dray')}${use('{ Fact }', '#models/models.ts')}export const sums = task('sums', async () => {}, { checks: [checked(Fact, [rowCount({ min: 2 })])] })`,
  'functions/sums/run.ts': handler('sums', 'task', 'task'),
  ...Object.fromEntries(
    ['extract', 'transform', 'load'].map((stage) => [
      `functions/orders/${stage}.ts`,
      handler('orders', 'pipeline', stage),
    ]),
  ),
  ...Object.fromEntries(
    ['commit', 'find-pipeline', 'finish', 'outcome', 'plan'].map((name) => [
      `functions/dray/${name}.ts`,
      readFileSync(join(fixtureFolder, `functions/dray/${name}.ts`), 'utf8'),
    ]),
  ),
}

describe('checks', () => {
  const { home, remove } = temporaryHome()
  const project = writeProject(files)
  const urls = Object.fromEntries(
    ['src', 'dst'].map((name) => [`${name.toUpperCase()}_DATABASE_URL`, `sqlite:${join(home, `${name}.db`)}`]),
  )
  const dray = (...args: string[]) => startDray(home, args, urls, project.folder).ended
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await dray(...args, '--json')
    return { code, document: JSON.parse(stdout || stderr) }
  }
  const statement = (name: string, sql: string) => {
    const database = new DatabaseSync(join(home, `${name}.db`))
    database.exec(sql)
    database.close()
  }

  before(() =>
    statement(
      'src',
      `create table orders (id integer primary key, status text, code text);
       insert into orders values (1, 'paid', 'a'), (2, 'lost', 'b')`,
    ),
  )
  after(() => {
    project.remove()
    remove()
  })

  it('that hold, and one that warns, stand in the report of a run', async () => {
    const { code, stdout, stderr } = await dray('run', 'nightly')

    assert.equal(code, 0, stderr)
    assert.match(stdout, /^ {2}orders: 1 of 2 checks passed in \d+\.\d\d s, on the whole table$/m)
    assert.match(
      stdout,
      /^ {2}orders: check accepted\(status\) of dst\.order_fact warned: 1 row with another status than the accepted ones; the first: id=2$/m,
    )
    assert.match(stdout, /^ {2}sums: 1 of 1 check passed/m)
  })

  it('are asked alone, of all pipelines and tasks, or of one', async () => {
    const all = await json('check')
    const one = await dray('check', 'sums')

    assert.deepEqual(
      [
        all.code,
        ...all.document.steps.map(({ step, checks }: { step: string; checks: object[] }) => [step, checks.length]),
      ],
      [0, ['orders', 2], ['sums', 1]],
    )
    assert.deepEqual([one.code, /sums: 1 of 1 check passed/.test(one.stdout)], [0, true])
    assert.equal((await dray('check', 'nothing')).code, 2)
  })

  it('that do not hold fail the step, say who answers for it, and are shown of the run', async () => {
    statement('src', "insert into orders values (3, 'paid', 'a')")
    const { code, stdout } = await dray('run', 'nightly')
    const [, run = ''] = /Run (\S+): /.exec(stdout) ?? []

    const shown = await json('runs', 'show', run)
    const text = await dray('runs', 'show', run)

    assert.equal(code, 1)
    assert.match(
      stdout,
      /^ {2}orders failed \(data team <data@example\.org>\): DataQuality: orders: 1 of its 2 checks does not hold/m,
    )
    assert.match(stdout, /^ {2}orders: check unique\(code\) of dst\.order_fact failed: 2 rows .*; the first: code=a$/m)
    assert.match(text.stdout, /check unique\(code\) of dst\.order_fact failed/)
    const [step] = shown.document.steps
    assert.deepEqual([shown.document.owner, step.owner], ['warehouse team', 'data team <data@example.org>'])
    assert.deepEqual(
      step.checks.map(
        ({ status, scope, failing_rows: rows }: { status: string; scope: string; failing_rows: number }) => [
          status,
          scope,
          rows,
        ],
      ),
      [
        ['failed', 'table', 2],
        ['warned', 'table', 1],
      ],
    )
    assert.equal((await dray('check', 'orders')).code, 1)
  })

  it('are asked again by a resume once the rows are mended', async () => {
    const { document } = await json('runs')
    statement('dst', "update order_fact set code = 'c' where id = 3")

    const { code, stdout, stderr } = await dray('resume', document.runs[0].run_id)

    assert.equal(code, 0, stderr)
    assert.match(stdout, /orders: 1 of 2 checks passed/)
  })

  it('owners stand in a plan', async () => {
    const { document } = await json('plan', 'orders')

    assert.equal(document.owner, 'data team <data@example.org>')
    assert.match((await dray('plan', 'orders')).stdout, /^Owner: data team <data@example\.org>\.$/m)
  })
})
