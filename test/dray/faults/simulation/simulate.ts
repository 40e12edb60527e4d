import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { drawFamily, FamilySimulation } from './family-simulation.ts'
import { drawScenario, type Kind, kinds, type Scenario } from './scenario.ts'
import { added, nothing, runSchedules } from './schedules.ts'
import { Simulation } from './simulation.ts'

/*
 * `npm run simulate -- --seeds 100000 [--from 1]` runs schedules; `--seed N` runs one and prints what happened.
 * `--kind` has all of them be of one kind, `--kind family` of a replica; `--threads` is as many as there are
 * processors unless told.
 */

const BATCH = 5_000
const MOST_DIVERGENCES = 20

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    kind: { type: 'string' },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
})

const isOfFamily = values.kind === 'family'
if (values.kind !== undefined && !isOfFamily && !kinds.includes(values.kind as Kind))
  throw new TypeError(`--kind is one of ${kinds.join(', ')}, family`)
const over: Partial<Scenario> = values.kind === undefined || isOfFamily ? {} : { kind: values.kind as Kind }

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

async function one(seed: number): Promise<void> {
  const scenario = isOfFamily ? drawFamily(seed) : drawScenario(seed, over)
  print(JSON.stringify(scenario, null, 2))
  try {
    const simulation = isOfFamily ? new FamilySimulation(scenario, print) : new Simulation(scenario, print)
    const result = await simulation.run()
    print(`seed ${seed}: no divergence; ${JSON.stringify(result)}`)
  } catch (error) {
    print(`seed ${seed} DIVERGES: ${(error as Error).stack}`)
    process.exitCode = 1
  }
}

const kind = values.kind === undefined ? '' : ` --kind ${values.kind}`

async function many(from: number, count: number): Promise<void> {
  const started = performance.now()
  let tally = nothing
  for (let first = from; first < from + count && tally.divergences.length < MOST_DIVERGENCES; first += BATCH) {
    const seeds = Array.from({ length: Math.min(BATCH, from + count - first) }, (_, index) => ({
      seed: first + index,
      over,
      isOfFamily,
    }))
    const batch = await runSchedules(seeds, Number(values.threads))
    tally = added(tally, batch)
    for (const { schedule, message } of batch.divergences) {
      print(`seed ${schedule.seed} DIVERGES: ${message}\n  npm run simulate -- --seed ${schedule.seed}${kind}`)
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(0)
    print(
      `${tally.schedules} schedules in ${seconds} s: ${tally.runs} runs (${tally.succeeded} succeeded, ${tally.failed} failed, ${tally.aborted} stopped), ${tally.requests} requests, ${tally.faults} faults, ${tally.divergences.length} divergences`,
    )
  }
  if (tally.divergences.length > 0) process.exitCode = 1
}

if (values.seed !== undefined) await one(Number(values.seed))
else await many(Number(values.from), Number(values.seeds))
