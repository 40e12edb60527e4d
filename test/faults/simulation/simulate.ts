import { parseArgs } from 'node:util'
import { drawScenario } from './scenario.ts'
import { Simulation } from './simulation.ts'

/*
 * `npm run simulate -- --seeds 100000 [--from 1]` runs schedules; `--seed N` runs one and prints what happened.
 */

const { values } = parseArgs({
  options: { seeds: { type: 'string' }, from: { type: 'string', default: '1' }, seed: { type: 'string' } },
})

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

async function one(seed: number): Promise<void> {
  const scenario = drawScenario(seed)
  print(JSON.stringify(scenario, null, 2))
  try {
    const result = await new Simulation(scenario, print).run()
    print(`seed ${seed}: no divergence; ${JSON.stringify(result)}`)
  } catch (error) {
    print(`seed ${seed} DIVERGES: ${(error as Error).stack}`)
    process.exitCode = 1
  }
}

async function many(from: number, count: number): Promise<void> {
  const started = performance.now()
  const totals = { requests: 0, injected: 0, runs: 0 }
  let diverged = 0
  for (let seed = from; seed < from + count; seed++) {
    try {
      const { requests, injected, runs } = await new Simulation(drawScenario(seed)).run()
      totals.requests += requests
      totals.injected += injected
      totals.runs += runs
    } catch (error) {
      diverged += 1
      print(`seed ${seed} DIVERGES: ${(error as Error).message}\n  npm run simulate -- --seed ${seed}`)
      process.exitCode = 1
      if (diverged >= 20) break
    }
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  print(
    `${count} schedules in ${seconds} s: ${totals.runs} runs, ${totals.requests} requests, ${totals.injected} faults, ${diverged} divergences`,
  )
}

if (values.seed !== undefined) await one(Number(values.seed))
else await many(Number(values.from), Number(values.seeds ?? '2000'))
