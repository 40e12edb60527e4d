import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageFolder } from 'dray-infra/internal/project/project-folder.ts'

/** Of a file; the imports in it are those of another project. */
function lines(...texts: readonly string[]): string {
  return `${texts.join('\n')}\n`
}

export const ORDERS_PIPELINE: string = lines(
  "import { bigint, database, fullLoad, pipeline, text, upsert } from 'dray'",
  "import { cleanText } from 'dray/cleaning'",
  "import { Target } from '#models/lake.ts'",
  '',
  "class Source extends database('till').source('orders', { id: bigint().primaryKey(), name: text().nullable() }) {}",
  '',
  "export const orders = pipeline('orders', {",
  '  extract: fullLoad(Source),',
  '  transform: ({ id, name }) => ({ id, name: cleanText(name) }),',
  "  load: upsert(Target, { by: 'id' }),",
  '})',
)
const files: Readonly<Record<string, string>> = {
  'shared/models/lake.ts': lines(
    "import { bigint, database, text } from 'dray'",
    "export class Target extends database('lake').table('orders', { id: bigint().primaryKey(), name: text().nullable() }) {}",
  ),
  'functions/orders/pipeline.ts': ORDERS_PIPELINE,
  ...Object.fromEntries(
    ['extract', 'transform', 'load'].map((stage) => [
      `functions/orders/${stage}.ts`,
      `import { ${stage}Handler } from 'dray/lambda'\nimport { orders } from './pipeline.ts'\nexport const handler = ${stage}Handler(orders)\n`,
    ]),
  ),
  'functions/mart/task.ts': `import { task } from 'dray'\nexport const mart = task('mart', async () => {})\n`,
  'functions/mart/run.ts': `import { taskHandler } from 'dray/lambda'\nimport { mart } from './task.ts'\nexport const handler = taskHandler(mart)\n`,
  'infra/project.ts': lines(
    "import { defineProject } from 'dray-infra'",
    "import { run, workflow } from 'dray/workflow'",
    "import { mart } from '#functions/mart/task.ts'",
    "import { orders } from '#functions/orders/pipeline.ts'",
    '',
    "const nightly = workflow('nightly', { steps: [run(orders), run(mart, { after: [orders] })] })",
    'export const project = defineProject({',
    '  workflows: [nightly],',
    '  environments: {},',
    "  databases: { till: { embedded: 'sqlite' }, lake: { embedded: 'sqlite' } },",
    '  main: nightly,',
    '})',
  ),
}

/** The files of a small project: a pipeline `orders` from `till` into `lake`, both SQLite, and a task `mart`. */
export function ordersProject(): Readonly<Record<string, string>> {
  const shared = join(packageFolder, '../../functions/dray')
  const handlers = readdirSync(shared).map(
    (name) => [`functions/dray/${name}`, readFileSync(join(shared, name), 'utf8')] as const,
  )
  return { ...files, ...Object.fromEntries(handlers) }
}
