import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { clone, inFolder, overlay } from './clone.ts'

/* What a user does first: removes the example, and has a pipeline of another shape on databases of another name. */

describe('a clone whose example is replaced by one pipeline on two other databases', () => {
  let folder: string
  before(async () => {
    folder = await clone()
    for (const theirs of ['functions', 'shared/models', 'infra', 'test'])
      await inFolder(folder, removeAllButDray(theirs))
    await overlay(folder, 'replaced')
    await inFolder(folder, 'npm ci')
  })
  after(() => rm(folder, { recursive: true, force: true }))

  test('runs the pipeline, on the databases of its project', async () => {
    const csv = join(import.meta.dirname, 'readings.csv')
    await inFolder(folder, `npx dray import csv ${csv} --into meters.meter_reading`)

    const printed = await inFolder(folder, 'npx dray run readings --json --progress none')

    const [{ read, inserted, quarantined }] = JSON.parse(printed).steps
    assert.deepEqual({ read, inserted, quarantined }, { read: 3, inserted: 2, quarantined: 1 })
  })

  test('names its own databases and environments, and none of the example', async () => {
    const help = await inFolder(folder, 'npx dray --help')

    assert.match(help, /METERS_DATABASE_URL, ARCHIVE_DATABASE_URL/)
    assert.doesNotMatch(help, /CRM|SALES|WAREHOUSE/)
  })

  test('runs its main workflow by npm start, without demo data', async () => {
    const printed = await inFolder(folder, 'npm start')

    assert.match(printed, /The project has no demo data/)
  })

  test("runs the user's tests alone", async () => {
    const printed = await inFolder(folder, 'npm test -- --mine')

    assert.match(printed, /a reading is archived in watt hours/)
    assert.match(printed, /^ℹ tests 1$/m)
  })

  test('passes its gate', async () => {
    await inFolder(folder, 'npm run check')
  })
})

/** The framework's folders are those that are named `dray`. */
function removeAllButDray(folder: string): string {
  return `find ${folder} -mindepth 1 -maxdepth 1 ! -name dray -exec rm -r {} +`
}
