import assert from 'node:assert/strict'
import { test } from 'node:test'
import { long } from '#test/long.ts'
import { assertNoDivergence, runSchedules } from './schedules.ts'

const THREADS = 2
const SCHEDULES = long ? 2_000 : 30

test(`${SCHEDULES} schedules of faults leave each table of a replica as its source has it, and hold nothing`, async (context) => {
  const seeds = Array.from({ length: SCHEDULES }, (_, index) => ({
    seed: index + 1,
    isOfFamily: true,
    // In a third of them a delivery in ten comes twice.
    over: index % 3 === 0 ? { duplicates: 0.1 } : {},
  }))

  const tally = await runSchedules(seeds, THREADS)

  const { divergences: _, ...figures } = tally
  context.diagnostic(JSON.stringify(figures))
  assertNoDivergence(tally)
  assert.equal(tally.schedules, SCHEDULES)
  assert.ok(tally.faults > SCHEDULES, `only ${tally.faults} faults`)
  assert.ok(tally.failed > 0.2 * SCHEDULES && tally.succeeded > SCHEDULES, 'runs of all ends')
})
