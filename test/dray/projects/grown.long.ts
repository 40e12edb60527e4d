import assert from 'node:assert/strict'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { clone, inFolder } from './clone.ts'

/* What a user has after a while: more pipelines, another workflow, another environment. */

const names = ['meters', 'tariffs', 'contracts', 'invoices', 'payments']

describe('a clone with five more pipelines, a second workflow and a third environment', () => {
  let folder: string
  before(async () => {
    folder = await clone()
    await writeFile(join(folder, 'shared/models/utility.ts'), models())
    for (const name of names) {
      const place = join(folder, 'functions', name)
      await mkdir(place)
      await writeFile(join(place, 'pipeline.ts'), pipeline(name))
      for (const stage of ['extract', 'transform', 'load'])
        await writeFile(join(place, `${stage}.ts`), handler(name, stage))
    }
    await writeFile(join(folder, 'infra/workflows/utility-update.ts'), workflow())
    await rename(join(folder, 'infra/project.ts'), join(folder, 'infra/first-project.ts'))
    await writeFile(join(folder, 'infra/project.ts'), project())
    await inFolder(folder, 'npm ci && npm run format')
  })
  after(() => rm(folder, { recursive: true, force: true }))

  test('runs one of the pipelines', async () => {
    await writeFile(join(folder, 'tariffs.csv'), 'id,label\n1,night\n2,day\n')
    await inFolder(folder, 'npx dray import csv tariffs.csv --into utility.tariffs')
    await rm(join(folder, 'tariffs.csv'))

    const printed = await inFolder(folder, 'npx dray run tariffs --json --progress none')

    assert.equal(JSON.parse(printed).steps[0].inserted, 2)
  })

  test('has a stack of the new environment', async () => {
    await inFolder(folder, 'npx cdk synth --quiet -c environment=rehearsal')
  })

  test('passes its gate', async () => {
    await inFolder(folder, 'npm run check')
  })
})

/** A line of the files that are written below. */
const importing = (names: string, source: string) => `import { ${names} } from '${source}'\n`

const className = (name: string) => `${name.charAt(0).toUpperCase()}${name.slice(1)}`

function models(): string {
  const fields = '{ id: bigint().primaryKey(), label: text().nullable() }'
  const classes = names.map(
    (name) =>
      `export class Source${className(name)} extends utility.source('${name}', ${fields}) {}\nexport class Target${className(name)} extends lake.table('${name}_dim', ${fields}) {}\n`,
  )
  return `${importing('bigint, database, text', 'dray')}\nconst utility = database('utility')\nconst lake = database('utility-lake')\n\n${classes.join('\n')}`
}

function pipeline(name: string): string {
  const [source, target] = [`Source${className(name)}`, `Target${className(name)}`]
  return `${importing('fullLoad, pipeline, upsert', 'dray')}${importing(`${source}, ${target}`, '#models/utility.ts')}
export const ${name} = pipeline('${name}', {
  extract: fullLoad(${source}),
  transform: ({ id, label }) => ({ id, label }),
  load: upsert(${target}, { by: 'id' }),
})
`
}

function handler(name: string, stage: string): string {
  return `${importing(`${stage}Handler`, 'dray/lambda')}${importing(name, './pipeline.ts')}
export const handler = ${stage}Handler(${name})
`
}

function workflow(): string {
  const imports = names.map((name) => importing(name, `#functions/${name}/pipeline.ts`))
  const [first = '', ...others] = names
  const steps = [`run(${first})`, ...others.map((name) => `run(${name}, { after: [${first}] })`)]
  return `${importing('run, workflow', 'dray/workflow')}${imports.join('')}
export const utilityUpdate = workflow('utility-update', { steps: [${steps.join(', ')}] })
`
}

function project(): string {
  return `${importing('defineProject, type EnvironmentOptions', 'dray-infra')}${importing('project as first', './first-project.ts')}${importing('utilityUpdate', './workflows/utility-update.ts')}
const added: EnvironmentOptions['databases'] = {
  utility: { engine: 'mysql', secret: '/utility/url' },
  'utility-lake': { engine: 'postgres', secret: '/utility-lake/url' },
}
const [main] = Object.values(first.environments)

export const project = defineProject({
  ...first,
  workflows: [...first.workflows, utilityUpdate],
  environments: Object.fromEntries(
    Object.entries({ ...first.environments, rehearsal: { databases: {}, expected: {}, ...main } }).map(([name, environment]) => [
      name,
      {
        ...environment,
        databases: { ...environment.databases, ...added },
        expected: { ...environment.expected, 'utility-update': { successWithin: '2d' } },
      },
    ]),
  ),
  databases: { ...first.databases, utility: { embedded: 'sqlite' }, 'utility-lake': { embedded: 'postgres' } },
})
`
}
