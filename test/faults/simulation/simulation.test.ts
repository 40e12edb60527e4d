import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawScenario, type Kind, kinds } from './scenario.ts'
import { assertNoDivergence, runSchedules } from './schedules.ts'
import { Simulation } from './simulation.ts'

const THREADS = 2

test('2,000 schedules of faults lose nothing, double nothing and hold nothing', async (context) => {
  const seeds = Array.from({ length: 2_000 }, (_, index) => ({ seed: index + 1 }))
  const ofKind = Map.groupBy(seeds, ({ seed }) => drawScenario(seed).kind)
  const number = (kind: Kind) => ofKind.get(kind)?.length ?? 0
  assert.equal(number('usual'), 1_200)
  for (const kind of kinds) assert.ok(number(kind) >= (kind === 'wide' ? 4 : 150), `${number(kind)} are ${kind}`)

  const tally = await runSchedules(seeds, THREADS)

  const { divergences: _, ...figures } = tally
  context.diagnostic(JSON.stringify(figures))
  assertNoDivergence(tally)
  assert.equal(tally.schedules, 2_000)
  assert.ok(tally.faults > 2_000, `only ${tally.faults} faults`)
  assert.ok(tally.failed > 500 && tally.succeeded > 4_000 && tally.aborted > 200, 'runs of all ends')
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

  for (const seed of [3, 11, 42, 260, 758, 6, 7, 8, 9, 16]) assert.deepEqual(await trace(seed), await trace(seed))
})
