import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { startDray } from '#test/cli/dray-process.ts'
import { type Desk, desk, PageFollower } from './follow-page.ts'
import { blocksOf, readPage, root } from './page.ts'

const PAGE = 'docs/cookbook.md'
const SHARED = 'What the recipes share'

const code = blocksOf(readPage(PAGE))
  .filter(({ kind }) => kind === 'ts')
  .map(({ heading, text }) => {
    const [, folder = '', file = ''] = /^\/\/ functions\/([\w-]+)\/(pipeline|task)\.ts\n/.exec(text) ?? []
    return { heading, folder, file, constant: /^export const (\w+) = (?:pipeline|replicate|task)\(/m.exec(text)?.[1] }
  })
  .filter(({ folder }) => folder !== '')
const recipes = [...new Set(blocksOf(readPage(PAGE)).map(({ heading }) => heading))].filter((one) => one !== SHARED)

/** An import that is none of this file. */
const use = (names: string, from: string) => `import ${names} from '${from}'\n`

describe(PAGE, () => {
  let place: Desk
  let page: PageFollower
  let folder: string

  async function write(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }

  /** The workflow with the steps of a recipe alone, as if the reader had begun with it. */
  async function writeWorkflow(recipe: string): Promise<void> {
    const steps = code.filter(({ heading, file }) => heading === recipe && file === 'pipeline')
    if (steps.length === 0) return
    const imports = steps.map((step) => use(`{ ${step.constant} }`, `#functions/${step.folder}/pipeline.ts`)).join('')
    await write(
      'infra/workflows/nightly.ts',
      `${use('{ run, workflow }', 'dray/workflow')}${imports}
export const nightly = workflow('nightly', { steps: [${steps.map(({ constant }) => `run(${constant})`).join(', ')}] })
`,
    )
  }

  before(async () => {
    place = await desk()
    folder = join(place.folder, 'shop')
    await startDray(place.folder, ['new', 'project', folder], {}, root).ended
    await promisify(execFile)('ln', ['-s', join(root, 'node_modules'), join(folder, 'node_modules')])
    page = new PageFollower(PAGE, place, folder)
    await page.follow(SHARED)
    for (const step of code.filter(({ file }) => file === 'pipeline')) {
      for (const stage of ['extract', 'transform', 'load']) {
        await write(
          `functions/${step.folder}/${stage}.ts`,
          `${use(`{ ${stage}Handler }`, 'dray/lambda')}${use(`{ ${step.constant} }`, './pipeline.ts')}
export const handler = ${stage}Handler(${step.constant})
`,
        )
      }
    }
    await write(
      'infra/project.ts',
      `${use('{ defineProject }', 'dray-infra')}${use('{ environments }', './environments.ts')}${use('{ nightly }', './workflows/nightly.ts')}
export const project = defineProject({
  workflows: [nightly],
  environments,
  databases: { shop: { embedded: 'sqlite' }, warehouse: { embedded: 'sqlite' } },
  main: nightly,
})
`,
    )
  })
  after(async () => {
    await page.close()
    await place.remove()
  })

  for (const recipe of recipes) {
    test(`${recipe}: does what it says`, async () => {
      await writeWorkflow(recipe)
      await page.follow(recipe)
    })
  }

  test('has code that the compiler and the linter take', async () => assert.equal(await page.fault(), ''))
})
