import assert from 'node:assert/strict'
import { settleRun } from 'dray-infra/internal/runs/settle-run.ts'
import type { Child } from './children.ts'
import { onEachEngine, openLane } from './each-engine.ts'
import { PIPELINE } from './models.ts'
import { writeRows } from './rows.ts'

function end(child: Child): void {
  child.process.kill('SIGCONT')
  child.process.kill('SIGKILL')
}

onEachEngine('two processes at one pipeline', async (t, engine, server) => {
  await t.test('a zombie that wakes before it has looked at the fence is refused by it', async (t) => {
    const lane = await openLane(t, engine, server, { shape: { partitionRows: 400 } })
    const stamp = await writeRows(lane.source, { from: 1, to: 1_000 }, 1)
    const zombie = lane.child({
      pauseAt: ['Load: state-entered', 'is sent select .epoch., '],
      shape: { partitionRows: 400 },
    })
    t.after(() => end(zombie))
    const ended = zombie.go()
    await zombie.paused

    await settleRun(lane.state, zombie.runId, { reason: 'given up' })
    await lane.recover(stamp)
    const before = await lane.checkRows()
    zombie.process.kill('SIGCONT')
    const { code, ended: result } = await ended

    assert.equal(code, 1)
    assert.match(result?.reasons.join() ?? '', /Terminal: .*holds epoch 1, and epoch \d+ has taken the target over/)
    assert.deepEqual(await lane.check(), before)
  })

  await t.test('a zombie that has passed the fence ends its partition, and the next run waits for it', async (t) => {
    const lane = await openLane(t, engine, server, { shape: { partitionRows: 400 } })
    const stamp = await writeRows(lane.source, { from: 1, to: 1_000 }, 1)
    const zombie = lane.child({
      pauseAt: ['Load: state-entered', 'staging.read transformed'],
      shape: { partitionRows: 400, concurrency: 1 },
    })
    t.after(() => end(zombie))
    const ended = zombie.go()
    await zombie.paused

    await settleRun(lane.state, zombie.runId, { reason: 'given up' })
    const recovered = lane.recover(stamp)
    recovered.catch(() => {})
    await lane.untilBlocked()
    zombie.process.kill('SIGCONT')
    const { code, ended: result } = await ended
    await recovered

    assert.equal(code, 1)
    assert.match(result?.reasons.join() ?? '', /holds epoch 1, and epoch 2 has taken the target over/)
    const landed = await lane.target.run('select run_id, count(*) from dray_ledger group by run_id order by run_id')
    assert.deepEqual(landed[0], [zombie.runId, '1'])
    await lane.check()
  })

  await t.test(
    'of two runs that ask for the lease at once one gets it, and the other ends with exit code 3',
    async (t) => {
      const lane = await openLane(t, engine, server)
      const stamp = await writeRows(lane.source, { from: 1, to: 1_500 }, 1)
      const both = [1, 2].map(() => lane.child({ pauseAt: ['state.acquireLease starts'] })) as [Child, Child]
      t.after(() => both.forEach(end))
      const ends = both.map((child) => child.go())
      await Promise.all(both.map(({ paused }) => paused))

      for (const child of both) child.process.kill('SIGCONT')
      const [one, other] = await Promise.all(ends)

      assert.deepEqual([one?.code, other?.code].sort(), [0, 3])
      const [winner, loser] = one?.code === 0 ? both : [...both].reverse()
      const refused = one?.code === 0 ? other : one
      assert.match(
        refused?.ended?.reasons.join() ?? '',
        new RegExp(`LeaseHeld: .*${PIPELINE} is held by ${winner?.runId} until`),
      )
      assert.equal((await lane.state.pipeline(PIPELINE))?.pending, true)
      const runs = await lane.target.run('select distinct run_id from dray_ledger')
      assert.deepEqual(runs, [[winner?.runId]])
      assert.equal((await lane.state.run(loser?.runId ?? ''))?.steps[0]?.status, 'refused')
      await lane.recover(stamp)
      await lane.check()
    },
  )
})
