import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { run, workflow } from 'dray/workflow'
import { defineProject } from 'dray-infra'
import { loadProject } from 'dray-infra/internal/project/load-project.ts'
import { fixtureFolder } from '#test/fixture-project.ts'
import { comparisonNamed } from '#test/workflow/units.ts'

const named = (name: string) => workflow(name, { steps: [run({ kind: 'task', name: `${name}-step` } as never)] })
/** A workflow of one pipeline, which writes `lake.product`. */
const writing = (name: string, alone: string | null, table = 'product', systems: readonly string[] = []) => {
  const where = systems.length === 0 ? null : [{ column: 'origin', texts: systems }]
  const written = { database: 'lake', table, alone, where }
  return workflow(`${name}-flow`, { steps: [run({ kind: 'pipeline', name, written })] })
}
const [hourly, daily] = [named('hourly'), named('daily')]

describe('a project', () => {
  for (const [what, options, message] of [
    [
      'two workflows of a name',
      { workflows: [hourly, named('hourly')], main: hourly },
      /two workflows are named hourly/,
    ],
    [
      'a main workflow that is not among them',
      { workflows: [hourly], main: daily },
      /main is daily, which is not among/,
    ],
    [
      'a task that is called as a comparison is',
      {
        workflows: [
          workflow('hourly', { steps: [run({ kind: 'task', name: 'reconcile-orders' })] }),
          workflow('nightly', { steps: [comparisonNamed('orders')] }),
        ],
        main: hourly,
      },
      /reconcile-orders is a step that compares a pipeline's tables, and the task in functions\/reconcile-orders has the same name; rename that/,
    ],
    ['no main workflow', { main: undefined as never }, /has no main, the workflow that `npm start` runs/],
    [
      'a database that no variable can be named after',
      { databases: { Shop: { embedded: 'sqlite' } } },
      /"Shop" is not named in kebab-case/,
    ],
    [
      'two pipelines that write a table which one of them replaces',
      { workflows: [hourly, writing('eu', null), writing('us', 'replaces all of its rows')] },
      /the pipelines eu and us write lake\.product, and us replaces all of its rows, so each would undo/,
    ],
    [
      'two pipelines whose rows of a table some collation takes for the same',
      {
        workflows: [hourly, writing('eu', 'deletes', 'product', ['eu', 'ch']), writing('us', null, 'product', ['EU'])],
      },
      /eu and us write lake\.product, and eu deletes, so each .*deletes: \{ where: \{ … \} \} in both of them/,
    ],
    [
      'a pipeline that keeps to its rows of a table beside one that does not',
      { workflows: [hourly, writing('eu', 'deletes', 'product', ['eu']), writing('us', null)] },
      /eu and us write lake\.product, and eu deletes/,
    ],
  ] as const) {
    test(`is refused with ${what}`, () => {
      const whole = { workflows: [hourly], environments: {}, databases: {}, main: hourly }

      assert.throws(() => defineProject({ ...whole, ...options }), { name: 'Configuration', message })
    })
  }

  test('may have pipelines that share a table, and one pipeline in two workflows', () => {
    const workflows = [hourly, writing('eu', null), writing('us', null), writing('alone', 'replaces', 'other')]
    workflows.push(writing('fi', 'deletes', 'third', ['fi']), writing('se', 'deletes', 'third', ['se', 'no']))
    const twice = workflow('again', { steps: workflows[3]?.steps ?? [] })

    defineProject({ workflows: [...workflows, twice], environments: {}, databases: {}, main: hourly })
  })

  test('knows what its pipelines write', async () => {
    const { workflows } = await loadProject(fixtureFolder)

    const steps = workflows.flatMap(({ steps: each }) => each).filter(({ kind }) => kind === 'pipeline')
    assert.ok(steps.length > 0)
    assert.ok(steps.every(({ written }) => written?.database === 'lake'))
  })

  test('is loaded from its folder, with its pipelines by name', async () => {
    const project = await loadProject(fixtureFolder)

    assert.deepEqual(Object.keys(project.databases), ['shop', 'till', 'lake'])
    assert.equal((await project.findPipeline('orders')).name, 'orders')
    await assert.rejects(project.findPipeline('data-mart'), /there is no functions\/data-mart\/pipeline\.ts/)
  })

  test('is missed with the remedy where there is none, and where the file exports none', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'dray-project-'))
    t.after(() => rm(folder, { recursive: true }))
    await assert.rejects(loadProject(folder), { name: 'Configuration', message: /no infra\/project\.ts in/ })
    await mkdir(join(folder, 'infra'))
    await writeFile(join(folder, 'package.json'), '{}')
    await writeFile(join(folder, 'infra/project.ts'), 'export const other = 1\n')

    await assert.rejects(loadProject(folder), { name: 'Configuration', message: /exports no project/ })
  })
})

test("the fixture's shared handlers are the framework's", async () => {
  const framework = join(import.meta.dirname, '../../../functions/dray')
  const handlers = (await readdir(framework)).filter((file) => file.endsWith('.ts'))

  for (const file of handlers) {
    const copy = await readFile(join(fixtureFolder, 'functions/dray', file), 'utf8')
    assert.equal(copy, await readFile(join(framework, file), 'utf8'), file)
  }
})
