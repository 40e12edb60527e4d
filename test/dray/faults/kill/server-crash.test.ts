import assert from 'node:assert/strict'
import { test } from 'node:test'
import { realClock } from 'dray-infra/internal/states-language/index.ts'
import { withPointsInStaging } from './crash-points.ts'
import { crashableServer } from './crashable-server.ts'
import { Lane } from './lane.ts'
import { writeRows } from './rows.ts'

for (const engine of ['postgres', 'mariadb'] as const) {
  test(`${engine}: a server that crashes while a run works with it loses nothing`, { timeout: 240_000 }, async (t) => {
    const server = await crashableServer(engine)
    if ('unavailable' in server) return t.skip(server.unavailable)
    try {
      for (const [step, point] of [
        ['extract', 'staging.write extracted: a block has passed'],
        ['load', 'staging.read transformed: a block has passed'],
      ] as const) {
        await t.test(`in the middle of ${step}`, async () => {
          const sourceUrl = await server.createDatabase()
          const targetUrl = await server.createDatabase()
          const lane = await Lane.open({
            place: `crash-${engine}-${step}`,
            sourceUrl,
            targetUrl,
            through: { sourceUrl: server.signInAnew(sourceUrl), targetUrl: server.signInAnew(targetUrl) },
            shape: { partitionRows: 4_000 },
          })
          try {
            const stamp = await writeRows(lane.source, { from: 1, to: 8_000 }, 1)
            let restarted: Promise<void> | null = null
            const crash = (at: string) => {
              if (at !== point || restarted !== null) return
              server.crash()
              restarted = server.restart()
            }

            const run = await lane.run({ staging: withPointsInStaging(lane.staging, crash), clock: realClock })

            assert.ok(restarted !== null, 'the server did not crash')
            await restarted
            assert.equal(run.status, 'SUCCEEDED', run.reasons.join('; '))
            assert.ok(run.retries.length > 0 && run.retries.every((error) => error === 'Transient'), run.retries.join())
            await lane.observeAnew()
            await lane.recover(stamp)
            await lane.check()
          } finally {
            await lane.close()
          }
        })
      }
    } finally {
      await server.stop()
    }
  })
}
