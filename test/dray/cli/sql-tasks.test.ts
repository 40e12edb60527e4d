import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, it } from 'node:test'
import { fixtureFolder } from '#test/fixture-project.ts'
import { writeProject } from '#test/services/small-project.ts'
import { startDray, temporaryHome } from './dray-process.ts'

/* A pipeline and ten tasks that are SQL behind it, each behind the one before, as the command runs and shows them. */

/** An import that is none of this file. */
const use = (names: string, from: string) => `import ${names} from '${from}'\n`
const handler = (unit: string, file: string, stage: string) =>
  `import { ${stage}Handler } from 'dray/lambda'\nimport { ${unit} } from './${file}.ts'\nexport const handler = ${stage}Handler(${unit})\n`
const levels = Array.from({ length: 10 }, (_, level) => level + 1)
const before = (level: number) => (level === 1 ? 'Fact' : `Level${level - 1}`)
const files = {
  'infra/project.ts': `${use('{ defineProject }', 'dray-infra')}${use('{ nightly }', './nightly.ts')}export const project = defineProject({
  workflows: [nightly], environments: {}, databases: { src: { embedded: 'sqlite' }, dst: { embedded: 'sqlite' } }, main: nightly,
})`,
  'infra/nightly.ts': `${use('{ run, workflow }', 'dray/workflow')}${use('{ orders }', '#functions/orders/pipeline.ts')}${levels
    .map((level) => use(`{ level${level} }`, `#functions/level-${level}/task.ts`))
    .join('')}export const nightly = workflow('nightly', { steps: [run(orders), ${levels
    .map((level) => `run(level${level}, { after: [${level === 1 ? 'orders' : `level${level - 1}`}] })`)
    .join(', ')}] })`,
  'shared/models/models.ts': `${use('{ bigint, database, text, timestamp }', 'dray')}export const src = database('src')
export const dst = database('dst')
export class Order extends src.source('orders', { id: bigint().primaryKey(), status: text() }) {}
export class Fact extends dst.table('fact', { id: bigint().primaryKey(), status: text(), loadedAt: timestamp().landed() }) {}
${levels
  .map(
    (level) =>
      `export class Level${level} extends dst.table('level_${level}', { id: bigint().primaryKey(), status: text(), depth: bigint(), loadedAt: timestamp().landed() }) {}\n`,
  )
  .join('')}`,
  'functions/orders/pipeline.ts': `${use('{ fullLoad, pipeline, upsert }', 'dray')}${use('{ Fact, Order }', '#models/models.ts')}export const orders = pipeline('orders', {
  extract: fullLoad(Order), transform: (order) => ({ ...order }), load: upsert(Fact, { by: 'id' }),
})`,
  ...Object.fromEntries(
    levels.flatMap((level) => [
      [
        `functions/level-${level}/task.ts`,
        `${use('{ landed, sqlFile, task }', 'dray')}${use(`{ ${before(level)}, Level${level} }`, '#models/models.ts')}export const level${level} = task('level-${level}', sqlFile('./level.sql', import.meta.url, {
  from: ${before(level)}, depth: ${level}, landed: landed(${before(level)}),
}), { into: Level${level}, by: 'id', owner: 'mart team' })`,
      ],
      [
        `functions/level-${level}/level.sql`,
        `-- it's level ${level}\nselect id, status, cast({{ depth }} as integer) as depth\nfrom {{from}} /* of what is new */ where {{landed}};\n`,
      ],
      [`functions/level-${level}/run.ts`, handler(`level${level}`, 'task', 'task')],
    ]),
  ),
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

describe('ten tasks that are SQL, each behind the one before', () => {
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
  const query = (name: string, sql: string) => {
    const database = new DatabaseSync(join(home, `${name}.db`))
    try {
      return database.prepare(sql).all()
    } finally {
      database.close()
    }
  }
  const last = () =>
    query('dst', 'select id, status, depth from level_10 order by id').map((row) => Object.values(row).join())

  const saidOf = async (step: string) =>
    (await json('doctor')).document.sections.find(({ subject }: { subject: string }) => subject === `step ${step}`)
      .checks as readonly { readonly said: string }[]

  it('are not looked at by doctor before what they read is there, and are afterwards', async () => {
    query('src', 'create table orders (id integer primary key, status text)')
    const [before] = await saidOf('level-2')
    assert.match(before?.said ?? '', /^level_1 of dst is not there yet, so the SELECT was not looked at/)

    await json('run', 'nightly')

    const [after] = await saidOf('level-2')
    assert.equal(after?.said, 'its SELECT fits dst.level_2')
  })

  it('land in a workflow what the database itself selects, and the next run what is new', async () => {
    query('src', "insert into orders values (1, 'paid'), (2, 'open')")

    const first = await json('run', 'nightly')
    query('src', "insert into orders values (3, 'new')")
    const second = await json('run', 'nightly')

    assert.deepEqual([first.code, second.code], [0, 0], JSON.stringify(first.document))
    assert.deepEqual(last(), ['1,paid,10', '2,open,10', '3,new,10'])
    const steps = second.document.steps.filter(({ step }: { step: string }) => step.startsWith('level-'))
    assert.equal(steps.length, 10)
    for (const { inserted, updated, unchanged } of steps) assert.deepEqual([inserted, updated, unchanged], [1, 0, 0])
  })

  it('run alone, from the bundle, in which the SQL is', async () => {
    query('src', "insert into orders values (4, 'late')")
    await json('run', 'orders')

    const { code, document } = await json('run', 'level-1', '--isolated')

    assert.equal(code, 0, JSON.stringify(document))
    assert.deepEqual(query('dst', 'select status from level_1 where id = 4').map(Object.values), [['late']])
  })

  it('are planned, previewed, and read again from where somebody says', async () => {
    const planned = await json('plan', 'level-2')
    assert.deepEqual(
      [planned.document.reads, planned.document.writes, planned.document.owner, planned.document.rows],
      [['dst.level_1'], 'dst.level_2', 'mart team', 1],
    )
    assert.equal(planned.document.window.from, planned.document.last_run)
    assert.match(
      (await dray('plan', 'level-2')).stdout,
      /level-2: reads dst\.level_1, what has landed since .*: 1 row\./,
    )

    assert.equal((await dray('state', 'reset', 'level-2')).code, 2)
    const reset = await json('state', 'reset', 'level-2', '--yes')
    assert.equal(reset.document.last_run, null)

    const previewed = await json('preview', 'level-2', '--limit', '1')
    assert.deepEqual(previewed.document, {
      version: 1,
      task: 'level-2',
      rows: [{ id: '1', status: 'paid', depth: '2' }],
    })
    assert.match((await dray('preview', 'level-2')).stdout, /id +status +depth\n/)
    const again = await json('run', 'level-2')
    assert.deepEqual(again.document.steps[0].unchanged, 3)
    assert.equal((await json('state', 'show', 'level-2')).document.pipelines[0].pipeline, 'level-2')
    const set = await json('state', 'set', 'level-2', '2001-01-01', '--yes')
    assert.equal(set.document.last_run, '2001-01-01T00:00:00.000000Z')
  })

  after(async () => {
    await remove()
    project.remove()
  })
})
