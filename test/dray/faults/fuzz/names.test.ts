import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { after, test } from 'node:test'
import { runIdOf } from 'dray/internal/messages/run-id.ts'
import { FolderStagingStore } from 'dray/internal/staging/folder-staging-store.ts'
import { placeOf, quarantinePrefix, stagingPrefix } from 'dray/internal/staging/keys.ts'
import { isWorkedOn, takeRunLock } from 'dray-infra/internal/runs/run-lock.ts'
import fc from 'fast-check'
import { cases, unlessRefused } from './refusals.ts'

const folder = mkdtempSync(join(tmpdir(), 'dray-names-'))
after(() => rmSync(folder, { recursive: true }))

const part = fc.constantFrom(
  ...['..', '.', '/', '\\', '\u0000', '%2e', '~', ' ', '#', '*', 'run-1', '\n', '\ud800', '-', ':'],
)
const name = fc.oneof(
  fc.array(part, { maxLength: 6 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.integer({ min: 200, max: 1_000 }).map((length) => 'r'.repeat(length)),
)

test('what is staged under any name of a run or pipeline stays in the folder, and is found under it', async () => {
  const store = new FolderStagingStore(join(folder, 'staging'))

  await fc.assert(
    fc.asyncProperty(name, name, async (run, pipeline) => {
      for (const prefix of [stagingPrefix(run, pipeline), quarantinePrefix(run, pipeline)]) {
        const object = await unlessRefused(() =>
          store.write(prefix, { format: 'json' }, [{ bytes: Buffer.from('1\n'), rows: 1 }]),
        )
        if (object === null) continue
        assert.ok(store.locate(object.key).startsWith(join(folder, 'staging') + sep))
        assert.deepEqual(await store.list(prefix), [object.key])
        assert.notEqual(placeOf(object.key).root, null)
        await store.remove(object.key)
      }
    }),
    cases(),
  )
  assert.deepEqual(readdirSync(folder), ['staging'])
})

test('the lock of a run of any name is in the folder of the locks', async () => {
  const home = join(folder, 'home')

  await fc.assert(
    fc.asyncProperty(name, async (id) => {
      await unlessRefused(() => isWorkedOn({ id, runner: 'stepfunctions' }, home))
      const lock = await unlessRefused(() => takeRunLock(home, id))
      lock?.release()
    }),
    cases(),
  )
  assert.deepEqual([readdirSync(home), readdirSync(join(home, 'runs'))], [['runs'], []])
  rmSync(home, { recursive: true })
})

test('a run that is named after a seed has a name that Step Functions takes', () => {
  fc.assert(
    fc.property(name, fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }), (seed, at) => {
      assert.match(runIdOf(seed, at), /^\d{4}-\d\d-\d\dt\d{6}-[0-9a-z]{7}$/)
    }),
    cases(),
  )
})
