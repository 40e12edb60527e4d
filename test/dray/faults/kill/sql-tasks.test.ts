import assert from 'node:assert/strict'
import { long } from '#test/long.ts'
import { onEachEngine, openLane } from './each-engine.ts'
import { KindKills } from './kind-kills.ts'
import { runningSqlTasks } from './sql-task-kind.ts'

/** `DRAY_KILLS=60` kills at so many points, `DRAY_KILLS=all` at every one. */
function wanted(): number | null {
  const { DRAY_KILLS: asked = long ? '60' : '6' } = process.env
  return asked === 'all' ? null : Number(asked)
}

onEachEngine(
  'tasks that are SQL and are killed at any point are made good by the next run',
  async (t, engine, server) => {
    const kind = runningSqlTasks()
    const lane = await openLane(t, engine, server, { shape: kind.shape })
    const start = performance.now()

    const report = await new KindKills(lane, kind).run(wanted())

    t.diagnostic(`${engine}: ${JSON.stringify(report)} in ${((performance.now() - start) / 1000).toFixed(0)} s`)
    const least = (wanted() ?? report.points) * 0.9
    assert.ok(report.kills >= Math.floor(least), `only ${report.kills} runs were killed`)
  },
)
