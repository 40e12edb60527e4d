import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ordersProject } from '#test/services/orders-project.ts'
import { writeProject } from '#test/services/small-project.ts'

export const MARKUP = '<img src=x onerror="document.title=1">'
/** Would be read as `abc`, were its direction not written out. */
export const TURNED = 'a\u202Ecb'
const ORDERS = 60
const BAD = 30

const lines = (...texts: readonly string[]) => `${texts.join('\n')}\n`

/** Rejects what begins with `bad`; `accepts` is what somebody would save who has mended it. */
export const pipelineText = ({ accepts = false, upper = false } = {}) =>
  lines(
    "import { bigint, database, fullLoad, pipeline, text, unique, upsert } from 'dray'",
    "import { Target } from '#models/lake.ts'",
    '',
    "class Source extends database('till').source('orders', { id: bigint().primaryKey(), name: text().nullable() }) {}",
    '',
    '/** Orders of the till. */',
    "export const orders = pipeline('orders', {",
    '  extract: fullLoad(Source, { partitionRows: 10 }),',
    '  transform: ({ id, name }, { reject }) =>',
    accepts ? '' : "    name?.startsWith('bad') ? reject('name', 'bad_name', `no good name: ${name}`) :",
    upper ? '    ({ id, name: name?.toUpperCase() ?? null }),' : '    ({ id, name }),',
    "  load: upsert(Target, { by: 'id' }),",
    "  checks: [unique('id')],",
    "  owner: 'shop team <shop@example.org>',",
    '})',
  )

/** Fails while there is a file `broken` in the folder of the project. */
const TASK = lines(
  "import { existsSync } from 'node:fs'",
  "import { task } from 'dray'",
  "export const mart = task('mart', async () => {",
  "  if (existsSync('broken')) throw new Error('the mart is under repair')",
  '})',
)

const PROJECT = lines(
  "import { defineProject } from 'dray-infra'",
  "import { cron, event, run, workflow } from 'dray/workflow'",
  "import { mart } from '#functions/mart/task.ts'",
  "import { orders } from '#functions/orders/pipeline.ts'",
  '',
  "const nightly = workflow('nightly', {",
  '  steps: [run(orders), run(mart, { after: [orders] })],',
  "  schedule: cron('0 2 * * *', { timezone: 'Europe/Helsinki' }),",
  "  on: event('till', 'EntityUpdated'),",
  '})',
  'export const project = defineProject({',
  '  workflows: [nightly],',
  '  environments: {},',
  "  databases: { till: { embedded: 'sqlite' }, lake: { embedded: 'sqlite' } },",
  '  main: nightly,',
  '})',
)

/** A shop whose till has names of all kinds, half of which its pipeline rejects. */
export function openShop() {
  const project = writeProject({
    ...ordersProject(),
    'functions/orders/pipeline.ts': pipelineText(),
    'functions/mart/task.ts': TASK,
    'infra/project.ts': PROJECT,
  })
  const home = join(project.folder, '.dray')
  mkdirSync(home)
  chmodSync(home, 0o755)
  const till = new DatabaseSync(join(home, 'till.db'))
  till.exec('create table orders (id integer primary key, name text)')
  const insert = till.prepare('insert into orders values (?, ?)')
  for (let id = 1; id <= ORDERS; id++) insert.run(id, nameOf(id))
  till.close()
  return { ...project, home }
}

function nameOf(id: number): string {
  if (id > BAD) return `order ${id}`
  return `bad ${id % 2 === 0 ? MARKUP : TURNED} ${id}`
}
