import { edited, type Fault, handler, pipelineFile } from './fault.ts'
import { healthy } from './patient.ts'
import { source } from './servers.ts'

export const ofProject: readonly Fault[] = [
  {
    name: 'no project',
    files: { 'infra/project.ts': null },
    line: /project: There is no infra\/project\.ts/,
    remedy: /run the command in a folder of your project/,
  },
  {
    name: 'a project file that exports none',
    files: { 'infra/project.ts': 'export const other = 1' },
    line: /exports no project/,
    remedy: /write: export const project = defineProject/,
  },
  {
    name: 'a project file that is no TypeScript',
    files: { 'infra/project.ts': 'export const project = {' },
    line: /infra\/project\.ts cannot be loaded/,
    remedy: /correct the file that it names/,
  },
  {
    name: 'an import of a file that is not there',
    files: edited('infra/nightly.ts', 'orders/pipeline', 'order/pipeline'),
    line: /Cannot find module .*functions\/order\/pipeline\.ts/,
    remedy: /correct the file/,
  },
  {
    name: 'steps that wait for each other',
    files: edited('infra/nightly.ts', 'run(orders)', "run(orders, { after: ['orders'] })"),
    line: /project: .*nightly.*orders/,
    remedy: /remove|take|break/,
  },
  {
    name: 'a comparison of a pipeline that no workflow runs',
    files: edited('infra/nightly.ts', /run(, .*)run\(orders\)/s, 'reconcile$1reconcile(orders)'),
    line: /compares the source of orders with its target, and no workflow runs orders/,
    remedy: /add run\(orders\) to the steps/,
  },
  {
    name: 'a step after one that there is not',
    files: edited('infra/nightly.ts', 'run(orders)', "run(orders, { after: ['customers'] })"),
    line: /orders is to run after customers, which is not a step/,
    remedy: /add run\(customers\)/,
  },
  {
    name: 'a step twice',
    files: edited('infra/nightly.ts', 'run(orders)', 'run(orders), run(orders)'),
    line: /runs orders twice/,
    remedy: /remove one or rename it/,
  },
  {
    name: 'minute 61 in a schedule',
    files: edited('infra/nightly.ts', '0 2 * * *', '61 2 * * *'),
    line: /has '61' as minute, so nothing would be scheduled/,
    remedy: /use 0 to 59/,
  },
  {
    name: 'a zone that there is not',
    files: edited('infra/nightly.ts', "timezone: 'UTC'", "timezone: 'Europe/Helsingfors2'"),
    line: /time zone 'Europe\/Helsingfors2' of a schedule is not known/,
    remedy: /use an IANA name/,
  },
  {
    name: 'a workflow in capitals',
    files: edited('infra/nightly.ts', "'nightly'", "'Nightly'"),
    line: /'Nightly' is not named in kebab-case/,
    remedy: /use lower-case letters/,
  },
  {
    name: 'a main that is no workflow of the project',
    files: edited('infra/project.ts', 'workflows: [nightly]', 'workflows: []'),
    line: /main is nightly, which is not among the workflows/,
    remedy: /Correct it/,
  },
  {
    name: 'a cursor that is no time',
    files: edited(pipelineFile, "cursor: 'lastUpdated'", "cursor: 'status' as never"),
    line: /the cursor "status" is neither a timestamp nor an integer field/,
    remedy: /name one that every change of a row moves on/,
  },
  {
    name: 'a step without a folder',
    files: edited('infra/nightly.ts', 'run(orders)', "run(orders), run({ kind: 'task', name: 'data-mart' })"),
    line: /step data-mart: folder: .* no folder functions\/data-mart/,
    remedy: /make it, or take run\(data-mart\) out/,
  },
  {
    name: 'a pipeline that is not named after its folder',
    files: {
      ...edited('infra/nightly.ts', 'run(orders)', "run(orders), run({ kind: 'pipeline', name: 'customers' })"),
      ...Object.fromEntries(
        ['extract', 'transform', 'load'].map((stage) => [
          `functions/customers/${stage}.ts`,
          'export const handler = () => {}',
        ]),
      ),
      'functions/customers/pipeline.ts': `export { orders } from '#functions/orders/pipeline.ts'`,
    },
    line: /functions\/customers\/pipeline\.ts exports no pipeline\('customers', …\)/,
    remedy: /name the pipeline after its folder/,
  },
  {
    name: 'a handler that is not there',
    files: { 'functions/orders/load.ts': null },
    line: /functions\/orders\/load\.ts is not there/,
    remedy: /export const handler = loadHandler/,
  },
  {
    name: 'a handler of another stage',
    files: handler('load', healthy['functions/orders/extract.ts'] as string),
    line: /load\.ts makes its handler by extractHandler\(\), so it would do another stage's work/,
    remedy: /handler = loadHandler/,
  },
  {
    name: 'a handler of another pipeline',
    files: handler(
      'load',
      (healthy['functions/orders/load.ts'] as string).replace('./pipeline', '../customers/pipeline'),
    ),
    line: /load\.ts imports customers, so the pipeline orders would do the work of that/,
    remedy: /import it from '\.\/pipeline\.ts'/,
  },
  {
    name: 'a handler that exports nothing',
    files: handler('load', 'export const handle = 1'),
    line: /load\.ts exports no handler/,
    remedy: /export const handler/,
  },
  {
    name: 'a handler whose import is not there',
    files: handler('load', `import { x } from './lod.ts'\nexport const handler = x`),
    line: /load\.ts cannot be imported.*lod\.ts/,
    remedy: /correct the import/,
  },
  {
    name: 'a field in by that the model does not have',
    files: edited(pipelineFile, "by: 'id'", "by: 'orderId' as never"),
    line: /pipeline\('orders'\): upsert\(\): by names "orderId", and the model of dst\.order_fact has no such field/,
    remedy: /its fields are id, /,
  },
  {
    name: 'a database that the project does not have',
    files: edited('infra/project.ts', ", dst: { embedded: 'sqlite' }", ''),
    urls: async () => ({ src: await source() }),
    line: /works with the database dst, which infra\/project\.ts does not have/,
    remedy: /add dst: \{ embedded/,
  },
  {
    name: 'an environment without one of the databases',
    files: edited(
      'infra/project.ts',
      'environments: {}',
      "environments: { dev: { databases: { src: { engine: 'mysql', secret: 's' } }, expected: { nightly: { successWithin: '1d' } } } }",
    ),
    line: /the environment dev does not say where the database dst is/,
    remedy: /add to its databases in infra\/environments\.ts: dst: \{/,
  },
  {
    name: 'an environment in no region',
    files: edited(
      'infra/project.ts',
      'environments: {}',
      "environments: { dev: { region: 'north', databases: { src: { engine: 'mysql', secret: 's' }, dst: { engine: 'mysql', secret: 's' } }, expected: {} } }",
    ),
    line: /environments: .*is not valid[\s\S]*is not a region/,
    remedy: /infra\/environments\.ts/,
  },
  {
    name: 'workflows that start each other',
    files: {
      ...edited(
        'infra/nightly.ts',
        "schedule: cron('0 2 * * *', { timezone: 'UTC' })",
        "on: { source: 'dray.daily', detailType: 'WorkflowCompleted' }",
      ),
      ...edited(
        'infra/project.ts',
        'workflows: [nightly]',
        "workflows: [nightly, { ...nightly, name: 'daily', events: [{ source: 'dray.nightly', detailType: 'WorkflowCompleted' }] }]",
      ),
    },
    line: /the workflows nightly, daily start each other when they end/,
    remedy: /take one of the events out/,
  },
]
