import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { loadProject } from 'dray-infra/internal/project/load-project.ts'
import { type Ended, startDray, temporaryHome } from './dray-process.ts'

/*
 * What `npm start` does, twice, over the embedded databases: with the project that this repository is, whatever that
 * has in it.
 */

const folder = resolve(import.meta.dirname, '../../..')
const { demo, main } = await loadProject(folder)
const without = demo === undefined && 'the project has no demo data, so what its sources hold is not known'

interface Step {
  readonly step: string
  readonly status: string
  readonly read: number
  readonly inserted: number
  readonly updated: number
  readonly unchanged: number
  readonly filtered: number
  readonly duplicate: number
  readonly quarantined: number
}

describe('npm start', { skip: without }, () => {
  const { home, remove } = temporaryHome()
  let ended: readonly Ended[]

  const start = () => startDray(home, ['run', '--demo', '--json', '--progress', 'log'], {}, folder).ended

  before(async () => {
    ended = [await start(), await start()]
  })
  after(remove)

  it('runs the main workflow of the project to its end, and again', () => {
    for (const { code, stdout, stderr } of ended) {
      assert.equal(code, 0, stderr)
      assert.equal(JSON.parse(stdout).workflow, main.name)
    }
  })

  it('loads something, and accounts for every row', () => {
    const pipelines = new Set(main.steps.filter(({ kind }) => kind === 'pipeline').map(({ name }) => name))
    const steps = ended.map(({ stdout }) =>
      (JSON.parse(stdout).steps as Step[]).filter(({ step }) => pipelines.has(step)),
    )

    assert.ok(steps[0]?.some(({ inserted }) => inserted > 0))
    for (const { step, read, inserted, updated, unchanged, filtered, duplicate, quarantined } of steps.flat()) {
      assert.equal(inserted + updated + unchanged + filtered + duplicate + quarantined, read, step)
    }
  })
})
