import assert from 'node:assert/strict'
import { test } from 'node:test'
import { long } from '#test/long.ts'
import type { Engine } from './engines.ts'
import { Kills } from './kills.ts'
import { KindKills } from './kind-kills.ts'
import { kindsOfRuns } from './kinds.ts'
import { Lane } from './lane.ts'
import type { PipelineShape } from './models.ts'
import { privateServer } from './server.ts'

/**
 * Of a first run, of later ones and of each other kind; `DRAY_KILLS=12,40,10` kills at so many points,
 * `DRAY_KILLS=all,all,10` at every one of the usual runs, `DRAY_KILLS=all` at every one. `DRAY_KILLS_FROM=500` leaves
 * out so many points of the first run, `DRAY_KILLS_FROM=500,700` so many of later ones, too: the more runs the state
 * has, the longer each takes, so that all of them are tried in less time by parts.
 */
const USUAL = long ? '100,500,40' : '1,5,1'

/** How many kills; null: one at each point. A place that is not given is as the one before it. */
function wanted() {
  const { DRAY_KILLS: asked = USUAL } = process.env
  const [first = 0, next = first, other = next] = asked.split(',').map((each) => (each === 'all' ? null : Number(each)))
  const [fromFirst = 0, fromNext = 0] = (process.env.DRAY_KILLS_FROM ?? '').split(',').map(Number)
  return { first, next, other, from: { first: fromFirst, next: fromNext } }
}

/** The short form tries every other kind on PostgreSQL, and the others on MySQL. */
function isTried(place: number, engine: Engine): boolean {
  return long || process.env.DRAY_KILLS !== undefined || place % 2 === (engine === 'postgres' ? 0 : 1)
}

/** The kill suite on one engine. */
export function killSuite(engine: Engine): void {
  test(`a run on ${engine} that is killed at any point is made good by the next one`, async (t) => {
    const server = await privateServer(engine)
    if ('unavailable' in server) return t.skip(server.unavailable)
    t.after(() => server.stop())
    const open = async (place: string, shape: PipelineShape = {}) =>
      Lane.open({
        place: `kill-${engine}-${place.replaceAll(' ', '-')}`,
        sourceUrl: await server.createDatabase(),
        targetUrl: await server.createDatabase(),
        shape,
      })

    await t.test('a usual run', async (t) => {
      const lane = await open('usual')
      t.after(() => lane.close())
      const start = performance.now()

      const report = await new Kills(lane).run(wanted())

      t.diagnostic(`${engine}: ${JSON.stringify(report)} in ${secondsSince(start)} s`)
      const { first, next, from } = wanted()
      const least = (first ?? report.points.first - from.first) + (next ?? report.points.next - from.next)
      assert.ok(report.kills >= least, `only ${report.kills} of ${least} runs were killed`)
      assert.ok(report.afterCommit > 0, 'no run was killed behind its commit')
    })

    for (const kindOf of kindsOfRuns.filter((_, place) => isTried(place, engine))) {
      const kind = kindOf()
      await t.test(`a run of the kind ${kind.name}`, async (t) => {
        const lane = await open(kind.name, kind.shape)
        t.after(() => lane.close())
        const start = performance.now()

        const report = await new KindKills(lane, kind).run(wanted().other)

        t.diagnostic(`${engine}, ${kind.name}: ${JSON.stringify(report)} in ${secondsSince(start)} s`)
        const least = (wanted().other ?? report.points) * 0.9
        assert.ok(report.kills >= Math.floor(least), `only ${report.kills} runs were killed`)
      })
    }
  })
}

function secondsSince(start: number): string {
  return ((performance.now() - start) / 1000).toFixed(0)
}
