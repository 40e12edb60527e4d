import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fate } from './faults.ts'
import { drawScenario, type Scenario } from './scenario.ts'
import { runSchedules, type Schedule, type Tally } from './schedules.ts'
import { Simulation } from './simulation.ts'

const THREADS = 2

function assertNoDivergence({ divergences }: Tally): void {
  const shown = divergences
    .slice(0, 5)
    .map(
      ({ schedule, message }) =>
        `${JSON.stringify(schedule)}: ${message} (npm run simulate -- --seed ${schedule.seed})`,
    )
  assert.equal(divergences.length, 0, `${divergences.length} schedules diverge:\n${shown.join('\n')}`)
}

test('2,000 schedules of faults lose nothing, double nothing and hold nothing', async (context) => {
  const seeds = Array.from({ length: 2_000 }, (_, index) => ({ seed: index + 1 }))

  const tally = await runSchedules(seeds, THREADS)

  const { divergences: _, ...figures } = tally
  context.diagnostic(JSON.stringify(figures))
  assertNoDivergence(tally)
  assert.equal(tally.schedules, 2_000)
  assert.ok(tally.faults > 2_000, `only ${tally.faults} faults`)
  assert.ok(tally.failed > 500 && tally.succeeded > 4_000 && tally.aborted > 200, 'runs of all ends')
})

/** One small run, and nothing else going on. */
const calm: Partial<Scenario> = {
  shape: { kind: 'incremental', nulls: 'exclude', lagSeconds: 0, partitionRows: 4, concurrency: 2, versioned: false },
  sharedCodes: false,
  exact: true,
  missingCursors: 0,
  missingKey: true,
  initialRows: 10,
  writers: 0,
  sourceStepsBack: null,
  sourceSkew: 0,
  runs: [{ startSeconds: 60, endedAfterSeconds: null, machineLost: false }],
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
  const schedules: Schedule[] = Array.from({ length: requests }, (_, index) => index + 1).flatMap((request) =>
    fates.map((fate) => ({ seed: 1, over: calm, at: { request, fate } })),
  )

  const tally = await runSchedules(schedules, THREADS)

  context.diagnostic(`${requests} requests, ${tally.schedules} schedules`)
  assertNoDivergence(tally)
  assert.ok(requests > 100, `only ${requests} requests`)
})

test('a seed gives the same schedule each time, step by step', async () => {
  const trace = async (seed: number) => {
    const lines: string[] = []
    // Names of staged objects and tokens are random, and nothing depends on them.
    const result = await new Simulation(drawScenario(seed), (line) => {
      lines.push(line.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '…'))
    }).run()
    return { lines, result }
  }

  for (const seed of [3, 11, 42, 260, 758]) assert.deepEqual(await trace(seed), await trace(seed))
})
