import assert from 'node:assert/strict'
import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { cachedBundles } from 'dray-infra/internal/local/isolated/cached-bundles.ts'
import { packageFolder } from 'dray-infra/internal/project/project-folder.ts'
import { fixtureFolder } from '#test/fixture-project.ts'

const HANDLER = 'functions/data-mart/run.ts'
const handlers = [{ handler: HANDLER, engines: [] }]
/** Stand for what of the framework and of npm has a part in it. */
const others = ['framework/pipeline/plan.ts', 'framework/.package-lock.json']

describe('bundles that are kept', () => {
  let folder: string
  let project: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dray-bundles-'))
    project = await mkdtemp(join(tmpdir(), 'dray-project-'))
    await cp(fixtureFolder, project, { recursive: true })
    await symlink(resolve(packageFolder, '../../node_modules'), join(project, 'node_modules'))
    for (const source of others) {
      await mkdir(dirname(join(project, source)), { recursive: true })
      await writeFile(join(project, source), '')
    }
  })
  after(async () => {
    await rm(folder, { recursive: true })
    await rm(project, { recursive: true })
  })

  const made = async () =>
    (
      await cachedBundles(
        handlers,
        folder,
        project,
        others.map((source) => join(project, source)),
      )
    ).get(HANDLER) ?? ''
  const lists = async () => (await readdir(folder)).filter((name) => name.endsWith('.json'))
  /** Says that the bundle is in another folder, which nobody but the list can know. */
  async function mark(): Promise<string> {
    const [list] = await lists()
    const marked = join(folder, 'marked')
    await cp(await made(), marked, { recursive: true })
    const text = await readFile(join(folder, list ?? ''), 'utf8')
    const { [HANDLER]: name } = JSON.parse(text)
    await writeFile(join(folder, list ?? ''), text.replace(name, basename(marked)))
    return marked
  }

  test('are taken again while nothing that they are made from has changed', async () => {
    const first = await made()
    const marked = await mark()

    const second = await made()

    assert.notEqual(second, first)
    assert.equal(second, marked)
  })

  test('are made again when one of them is gone', async () => {
    await rm(join(folder, 'marked'), { recursive: true })

    const place = await made()

    assert.notEqual(basename(place), 'marked')
    assert.ok((await readdir(place)).includes('index.mjs'))
  })

  for (const source of ['functions/data-mart/task.ts', 'shared/models/lake.ts', 'package.json', ...others]) {
    test(`are made again when ${source} has changed`, async () => {
      const before = await lists()

      await appendFile(join(project, source), '\n')
      await made()

      assert.equal((await lists()).length, before.length + 1)
    })
  }
})
