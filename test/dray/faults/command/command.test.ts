import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { temporaryHome } from '#test/cli/dray-process.ts'
import { privateServer } from '../kill/server.ts'
import { Random } from '../simulation/random.ts'
import { mountSmallDisk } from '../small-disk.ts'
import { faults, type Happened, plainRun, type Stage } from './faults.ts'
import { World } from './world.ts'

/*
 * The real command on PostgreSQL, one fault after the other: killed, with a second state store on the same target, a
 * full disk, a clock that jumps. `DRAY_KILLS=60 DRAY_SEED=7` has so many kills of other moments.
 */

const KILLS = Number(process.env.DRAY_KILLS ?? 6)
const SEED = Number(process.env.DRAY_SEED ?? 1)

/** A folder for the first state store, on a small disk of its own where there can be one. */
function firstHome(t: TestContext): { readonly home: string; readonly disk: string | null } {
  const disk = mountSmallDisk('48m')
  if ('unavailable' in disk) {
    assert.notEqual(process.env.CI, 'true', `CI must not leave out the full disk: ${disk.unavailable}`)
    t.diagnostic(`no disk is filled: ${disk.unavailable}`)
    return { home: otherHome(t), disk: null }
  }
  t.after(() => disk.remove())
  const home = join(disk.folder, 'home')
  mkdirSync(home, { mode: 0o700 })
  return { home, disk: disk.folder }
}

function otherHome(t: TestContext): string {
  const { home, remove } = temporaryHome()
  t.after(remove)
  return home
}

/** The run after a fault ends well, which a lease that is held would not allow, and everything is where it belongs. */
async function assertMadeGood(stage: Stage, home: string, story: string): Promise<void> {
  const { code, stdout, stderr } = await plainRun(stage, home)
  assert.equal(code, 0, `${story}; the next run:\n${stdout}${stderr}`)
  assert.deepEqual(await stage.world.differences(home), [], story)
}

test('whatever befalls the command, its next run makes good', async (t) => {
  const server = await privateServer('postgres')
  if ('unavailable' in server) return t.skip(server.unavailable)
  t.after(() => server.stop())
  const { home, disk } = firstHome(t)
  const world = await World.open(server)
  t.after(() => world.close())
  const homes = [home, otherHome(t)] as const
  const random = new Random(SEED)
  await world.change()
  await assertMadeGood({ world, random, homes, disk, usual: 0 }, home, 'the first run')
  await world.change()
  const start = performance.now()
  await assertMadeGood({ world, random, homes, disk, usual: 0 }, home, 'the second run')
  const stage: Stage = { world, random, homes, disk, usual: performance.now() - start }

  let kills = 0
  for (let round = 0; kills < KILLS; round++) {
    await world.change()
    const fault = faults[round % faults.length] as (typeof faults)[number]
    const happened: Happened = await fault(stage)
    const story = `seed ${SEED}, round ${round + 1}: ${happened.story}`
    t.diagnostic(story)
    kills += happened.kills
    await assertMadeGood(stage, happened.home, story)
  }

  for (const each of homes) await assertMadeGood(stage, each, 'the last run')
  const before = await world.stored()
  for (const each of homes) await assertMadeGood(stage, each, 'a run behind the last')
  assert.deepEqual(await world.stored(), before, 'what was there is written again')
})
