import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Engine } from './engines.ts'
import { Kills } from './kills.ts'
import { Lane } from './lane.ts'
import { privateServer } from './server.ts'

/** Of a first run and of later ones; `DRAY_KILLS=all` kills at every point, `DRAY_KILLS=12,40` at so many. */
function wanted(): { readonly first: number; readonly next: number } | null {
  const { DRAY_KILLS: asked = '13,92' } = process.env
  if (asked === 'all') return null
  const [first = 0, next = 0] = asked.split(',').map(Number)
  return { first, next }
}

/** The kill suite on one engine. */
export function killSuite(engine: Engine): void {
  test(`a run on ${engine} that is killed at any point is made good by the next one`, {
    timeout: 1_500_000,
  }, async (t) => {
    const server = await privateServer(engine)
    if ('unavailable' in server) return t.skip(server.unavailable)
    t.after(() => server.stop())
    const lane = await Lane.open({
      place: `kill-${engine}`,
      sourceUrl: await server.createDatabase(),
      targetUrl: await server.createDatabase(),
    })
    t.after(() => lane.close())
    const start = performance.now()

    const report = await new Kills(lane).run(wanted())

    const seconds = ((performance.now() - start) / 1000).toFixed(0)
    t.diagnostic(`${engine}: ${JSON.stringify(report)} in ${seconds} s`)
    const least = wanted() ?? report.points
    assert.ok(report.kills >= least.first + least.next, `only ${report.kills} runs were killed`)
    assert.ok(report.afterCommit > 0, 'no run was killed behind its commit')
  })
}
