import assert from 'node:assert/strict'
import { test } from 'node:test'
import { long } from '#test/long.ts'
import type { Fate } from './faults.ts'
import { drawScenario, type Scenario } from './scenario.ts'
import { assertNoDivergence, runSchedules, type Schedule } from './schedules.ts'
import { Simulation } from './simulation.ts'

const THREADS = 2

/** One small run, and nothing else going on. */
const calm: Partial<Scenario> = {
  kind: 'usual',
  shape: {
    kind: 'incremental',
    nulls: 'exclude',
    lagSeconds: 0,
    partitionRows: 4,
    concurrency: 2,
    versioned: false,
    load: 'upsert',
    deletes: 'ignore',
    mostDeleted: 1,
  },
  sharedCodes: false,
  exact: true,
  missingCursors: 0,
  missingKey: true,
  initialRows: 10,
  writers: 0,
  sourceStepsBack: null,
  sourceSkew: 0,
  runs: [{ startSeconds: 60, mode: 'usual', endedAfterSeconds: null, machineLost: false }],
  faults: { rate: 0, pauses: 0, fates: [] },
  duplicates: 0,
  late: 0,
  resultsLost: 0,
  damage: 0,
}

test('a run survives a crash before and after each of its requests, and the loss of each reply', async (context) => {
  const { requests } = await new Simulation(drawScenario(1, calm)).run()
  const fates: readonly Fate[] = [
    'crash before',
    'crash after',
    'lost before',
    'reply lost',
    'stall before',
    'stall after',
  ]
  // The short form has each request meet one of the six in turn.
  const met = (request: number) => (long ? fates : [fates[request % fates.length]]) as readonly Fate[]
  const schedules: Schedule[] = Array.from({ length: requests }, (_, index) => index + 1).flatMap((request) =>
    met(request).map((fate) => ({ seed: 1, over: calm, at: { request, fate } })),
  )

  const tally = await runSchedules(schedules, THREADS)

  context.diagnostic(`${requests} requests, ${tally.schedules} schedules`)
  assertNoDivergence(tally)
  assert.ok(requests > 100, `only ${requests} requests`)
})
