import assert from 'node:assert/strict'
import { copyFile, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import type { StagedObject } from 'dray/internal/messages/staged-object.ts'
import type { LoadInput } from 'dray/internal/messages/stages.ts'
import { mountSmallDisk } from '../small-disk.ts'
import { onEachEngine, openLane } from './each-engine.ts'
import { landedRows, writeRows } from './rows.ts'

type Damage = (path: string, stale: string | null) => Promise<void>

const damages: Readonly<Record<string, Damage>> = {
  missing: (path) => rm(path),
  short: async (path) => truncate(path, (await readFile(path)).length - 20),
  empty: async (path) => truncate(path, (await readFile(path)).indexOf('\n') + 1),
  flipped: async (path) => {
    const bytes = await readFile(path)
    const place = bytes.length - 5
    bytes[place] = (bytes[place] ?? 0) ^ 1
    await writeFile(path, bytes)
  },
  stale: async (path, stale) => {
    if (stale !== null) await copyFile(stale, path)
  },
}

/** Which object a step is given. */
const objects: Readonly<Record<string, (input: LoadInput) => StagedObject>> = {
  ItemsExtract: ({ plan }) => plan,
  ItemsTransform: ({ extracted }) => extracted,
  ItemsLoad: ({ transformed }) => transformed,
}

onEachEngine('an object that is not what was staged stops the run', async (t, engine, server) => {
  const lane = await openLane(t, engine, server, { shape: { partitionRows: 1_000 } })
  let stamp = await writeRows(lane.source, { from: 1, to: 400 }, 1)
  /** The same object of an earlier run. */
  const stale = new Map<string, string>()
  await lane.run({ before: (step, payload) => void keep(step, payload as LoadInput) })
  let version = 1

  function keep(step: string, payload: LoadInput): void {
    const object = objects[step]?.(payload)
    if (object !== undefined) stale.set(step, lane.staging.locate(object.key))
  }

  for (const step of Object.keys(objects)) {
    for (const [name, damage] of Object.entries(damages)) {
      await t.test(`${name}, before ${step.slice('Items'.length).toLowerCase()}`, async () => {
        version += 1
        stamp = await writeRows(lane.source, { from: 1, to: 400, every: 2, place: version }, version)
        const [before, rows] = [await lane.lastRun(), await landedRows(lane.target)]

        const { status, reasons } = await lane.run({
          async before(reached, payload) {
            if (reached !== step) return
            const object = objects[step]?.(payload as LoadInput) as StagedObject
            await damage(lane.staging.locate(object.key), stale.get(step) ?? null)
          },
        })

        assert.equal(status, 'FAILED')
        assert.match(reasons.join(), /^StagedObject(Missing|Damaged): /)
        assert.equal(await lane.lastRun(), before)
        assert.deepEqual(await landedRows(lane.target), rows)
        await lane.recover(stamp)
        await lane.check()
      })
    }
  }
})

onEachEngine('a full disk', async (t, engine, server) => {
  await t.test('ends the run cleanly, and one with more room makes it good', async (t) => {
    const disk = mountSmallDisk('200k')
    if ('unavailable' in disk) return t.skip(disk.unavailable)
    t.after(() => disk.remove())
    const lane = await openLane(t, engine, server, { staging: disk.folder, shape: { partitionRows: 3_000 } })
    const stamp = await writeRows(lane.source, { from: 1, to: 6_000 }, 1)

    const { status, reasons } = await lane.run()

    assert.equal(status, 'FAILED')
    assert.match(reasons.join(), /ENOSPC.*Nothing of this object was kept. Free space/s)
    assert.equal(await lane.lastRun(), null)
    assert.deepEqual(await lane.partialObjects(), [])
    disk.resize('64m')
    await lane.recover(stamp)
    await lane.check()
  })
})
