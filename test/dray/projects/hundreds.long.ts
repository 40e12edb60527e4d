import assert from 'node:assert/strict'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { Client } from 'pg'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'
import { clone, inFolder } from './clone.ts'

/* Many tables are what most people have: 300 pipelines of 1,000 rows in one workflow, and 200 of them in 20 others. */

const ROWS = 1000
const numbers = [...Array(300).keys()]
const names = numbers.map((number) => `t${number}`)
/** Its transform ends the thread that it runs in, at first. */
const FAILING = 't13'
/** Another run holds it. */
const HELD = 't7'
const dependents = ['t298', 't299']

interface StepReport {
  readonly name: string
  readonly status: string
  readonly inserted: number
}

describe('a clone with 300 pipelines', () => {
  let folder: string
  let postgres: TestPostgres
  let store: Client
  let variables: string
  before(async () => {
    folder = await clone()
    postgres = await startPostgres()
    const url = await postgres.createDatabase()
    store = new Client({ connectionString: url })
    await store.connect()
    variables = `SHOP_DATABASE_URL=sqlite:${folder}/shop.db STORE_DATABASE_URL=${url}`
    await writeProject(folder)
    await inFolder(folder, 'npm ci')
    fillSource(join(folder, 'shop.db'))
    await store.query(names.map(targetTable).join('\n'))
  })
  after(async () => {
    await store?.end()
    await postgres?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const stepsOf = (printed: string): ReadonlyMap<string, StepReport> => {
    const { steps } = JSON.parse(printed.slice(printed.indexOf('{'))) as { steps: StepReport[] }
    return new Map(steps.map((step) => [step.name, step]))
  }
  let failed = ''

  test('runs them all on a laptop, but one that fails, one that another run holds, and two that wait for these', async () => {
    const holding = inFolder(folder, `SLOW=1 ${variables} npx dray run ${HELD} --progress none; true`)
    await inFolder(folder, "timeout 60 sh -c 'until [ -e held ]; do sleep 0.2; done'")

    const printed = await inFolder(folder, `${variables} npx dray run hundreds --json --progress none 2>errors; true`)

    await writeFile(join(folder, 'go'), '')
    await holding
    const steps = stepsOf(printed)
    failed = (JSON.parse(printed.slice(printed.indexOf('{'))) as { run_id: string }).run_id
    assert.equal(steps.get(FAILING)?.status, 'failed')
    assert.equal(steps.get(HELD)?.status, 'refused')
    for (const name of dependents) assert.equal(steps.get(name)?.status, 'skipped')
    const others = names.filter((name) => ![FAILING, HELD, ...dependents].includes(name))
    assert.deepEqual(
      others.filter((name) => steps.get(name)?.status !== 'success'),
      [],
    )
  })

  test('resumes what is missing, and each row is there once', async () => {
    await writeFile(join(folder, 'mended'), '')

    const printed = await inFolder(folder, `${variables} npx dray resume ${failed} --json --progress none 2>errors`)

    const steps = stepsOf(printed)
    for (const name of [FAILING, ...dependents]) assert.equal(steps.get(name)?.status, 'success', name)
    const counts = names.map(
      (name) => `select '${name}' as name, count(*) as rows, count(distinct id) as keys from ${name}`,
    )
    const { rows } = await store.query<{ rows: string; keys: string }>(counts.join(' union all '))
    const odd = rows.filter(({ rows: all, keys }) => Number(all) !== ROWS || Number(keys) !== ROWS)
    assert.equal(rows.length, names.length)
    assert.deepEqual(odd, [])
  })

  test('synthesizes and bundles 300 in one workflow and 200 in 20 others', async (t) => {
    await writeFile(join(folder, 'memory.mjs'), MEMORY)
    const start = performance.now()
    await inFolder(folder, 'NODE_OPTIONS=--import=./memory.mjs npx cdk synth --quiet -c environment=dev')
    const seconds = Math.round((performance.now() - start) / 1000)
    const kilobytes = (await readFile(join(folder, 'memory'), 'utf8')).trim().split('\n').map(Number)
    const output = (await inFolder(folder, 'du -sm cdk.out')).split('\t')[0]
    t.diagnostic(
      `${seconds} s, ${Math.round(Math.max(...kilobytes) / 1024)} MB at most in a process of Node, ${output} MB written`,
    )

    const manifest = JSON.parse(await readFile(join(folder, 'cdk.out/manifest.json'), 'utf8'))
    const stacks = Object.keys(manifest.artifacts).filter((name) => /^Dray-dev[\w-]*$/.test(name))
    assert.ok(stacks.length >= 4, stacks.join())
  })
})

/** What a process adds to a file when it ends: how many KB it had at most. */
const MEMORY = `import { appendFileSync } from 'node:fs'
process.on('exit', () => appendFileSync('memory', process.resourceUsage().maxRSS + '\\n'))`

/** A line of the files that are written below. */
const importing = (names: string, source: string) => `import { ${names} } from '${source}'\n`

function targetTable(name: string): string {
  return `create table ${name} (id bigint primary key, label text, happened timestamptz not null);`
}

function fillSource(file: string): void {
  const database = new DatabaseSync(file)
  database.exec('begin')
  for (const name of names) {
    database.exec(`create table ${name} (id integer primary key, label text, happened text not null)`)
    database.exec(
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${ROWS})
       insert into ${name} select i, 'row ' || i, '2026-01-01 00:00:00' from n`,
    )
  }
  database.exec('commit')
  database.close()
}

async function writeProject(folder: string): Promise<void> {
  const fields = '{ id: bigint().primaryKey(), label: text().nullable(), happened: timestamp() }'
  const models = names.map(
    (name) =>
      `export class Source${name} extends shop.source('${name}', ${fields}) {}\nexport class Target${name} extends store.table('${name}', ${fields}) {}\n`,
  )
  await writeFile(
    join(folder, 'shared/models/hundreds.ts'),
    `${importing('bigint, database, text, timestamp', 'dray')}const shop = database('shop')\nconst store = database('store')\n${models.join('')}`,
  )
  for (const name of names) {
    const place = join(folder, 'functions', name)
    await mkdir(place)
    await writeFile(join(place, 'pipeline.ts'), pipelineFile(name))
    for (const stage of ['extract', 'transform', 'load']) {
      await writeFile(
        join(place, `${stage}.ts`),
        `${importing(`${stage}Handler`, 'dray/lambda')}${importing(name, './pipeline.ts')}export const handler = ${stage}Handler(${name})\n`,
      )
    }
  }
  await writeFile(join(folder, 'infra/workflows/hundreds.ts'), workflowFile('hundreds', names))
  const twenties = [...Array(20).keys()].map(
    (group) => [`group-${group}`, names.slice(group * 10, group * 10 + 10)] as const,
  )
  for (const [name, members] of twenties) {
    await writeFile(join(folder, `infra/workflows/${name}.ts`), workflowFile(name, members))
  }
  const workflows = ['hundreds', ...twenties.map(([name]) => name)]
  await writeFile(join(folder, 'infra/project.ts'), projectFile(workflows))
}

/** One of them waits while a file says so, as one that works for long; one ends its thread until a file is there. */
function pipelineFile(name: string): string {
  const odd: Readonly<Record<string, string>> = {
    [HELD]: 'if (id === 1n && process.env.SLOW) hold()',
    [FAILING]: "if (!existsSync('mended')) process.exit(3)",
  }
  const hold = `
function hold() {
  writeFileSync('held', '')
  while (!existsSync('go')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
}
`
  const files = { [HELD]: 'existsSync, writeFileSync', [FAILING]: 'existsSync' }[name]
  return `${files === undefined ? '' : `${importing(files, 'node:fs')}`}${importing('fullLoad, pipeline, upsert', 'dray')}${importing(`Source${name}, Target${name}`, '#models/hundreds.ts')}export const ${name} = pipeline('${name}', {
  extract: fullLoad(Source${name}),
  transform: ({ id, label, happened }) => {
    ${odd[name] ?? ''}
    return { id, label, happened }
  },
  load: upsert(Target${name}, { by: 'id' }),
})
${name === HELD ? hold : ''}`
}

function workflowFile(name: string, members: readonly string[]): string {
  const imports = members.map((member) => `${importing(member, `#functions/${member}/pipeline.ts`)}`)
  const steps = members.map((member) => {
    const waits = dependents.includes(member) ? `, { after: [${FAILING}, ${HELD}] }` : ''
    return `run(${member}${waits})`
  })
  const symbol = name.replace('-', '')
  return `${importing('run, workflow', 'dray/workflow')}${imports.join('')}export const ${symbol} = workflow('${name}', { steps: [${steps.join(', ')}] })\n`
}

function projectFile(workflows: readonly string[]): string {
  const symbols = workflows.map((name) => name.replace('-', ''))
  const imports = workflows.map((name, index) => `${importing(`${symbols[index]}`, `./workflows/${name}.ts`)}`)
  const expected = workflows.map((name) => `'${name}': { successWithin: '26h' }`)
  return `${importing('defineProject', 'dray-infra')}${imports.join('')}
export const project = defineProject({
  workflows: [${symbols.join(', ')}],
  environments: {
    dev: {
      databases: { shop: { engine: 'mysql', secret: '/shop/url' }, store: { engine: 'postgres', secret: '/store/url' } },
      expected: { ${expected.join(', ')} },
    },
  },
  databases: { shop: { embedded: 'sqlite' }, store: { embedded: 'postgres' } },
  main: hundreds,
})
`
}
