import assert from 'node:assert/strict'
import { test } from 'node:test'
import { long } from '#test/long.ts'
import { drawScenario, type Kind, kinds } from './scenario.ts'
import { assertNoDivergence, runSchedules } from './schedules.ts'
import { Simulation } from './simulation.ts'

const THREADS = 2
const SCHEDULES = long ? 20_000 : 150

test(`${SCHEDULES} schedules of faults lose nothing, double nothing and hold nothing`, async (context) => {
  const seeds = Array.from({ length: SCHEDULES }, (_, index) => ({ seed: index + 1 }))
  const ofKind = Map.groupBy(seeds, ({ seed }) => drawScenario(seed).kind)
  const number = (kind: Kind) => ofKind.get(kind)?.length ?? 0
  assert.equal(number('usual'), 0.5 * SCHEDULES)
  for (const kind of kinds) {
    const share = kind === 'wide' ? 0.002 : 0.03
    assert.ok(number(kind) >= share * SCHEDULES, `${number(kind)} are ${kind}`)
  }

  const tally = await runSchedules(seeds, THREADS)

  const { divergences: _, ...figures } = tally
  context.diagnostic(JSON.stringify(figures))
  assertNoDivergence(tally)
  assert.equal(tally.schedules, SCHEDULES)
  assert.ok(tally.faults > SCHEDULES, `only ${tally.faults} faults`)
  assert.ok(
    tally.failed > 0.25 * SCHEDULES && tally.succeeded > 2 * SCHEDULES && tally.aborted > 0.1 * SCHEDULES,
    'runs of all ends',
  )
})

test('a seed gives the same schedule each time, step by step', async () => {
  const trace = async (seed: number) => {
    const lines: string[] = []
    // Names of staged objects and tokens are random, and so are digests of what names them; nothing depends on them.
    const result = await new Simulation(drawScenario(seed), (line) => {
      lines.push(line.replace(/[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{64}/g, '…'))
    }).run()
    return { lines, result }
  }

  for (const seed of [3, 11, 42, 260, 758, 5, 6, 7, 8, 9, 15, 16, 17, 18, 19, 25, 38])
    assert.deepEqual(await trace(seed), await trace(seed))
})
