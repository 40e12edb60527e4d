import { parentPort, workerData } from 'node:worker_threads'
import { drawScenario } from './scenario.ts'
import { added, nothing, type Schedule, type Tally } from './schedules.ts'
import { Simulation } from './simulation.ts'

async function tallyOf(schedule: Schedule): Promise<Tally> {
  const { seed, over = {}, at } = schedule
  const drawn = drawScenario(seed, over)
  const scenario = at === undefined ? drawn : { ...drawn, faults: { ...drawn.faults, at } }
  try {
    const { runs, requests, injected, statuses } = await new Simulation(scenario).run()
    const number = (status: string) => statuses.filter((each) => each === status).length
    return {
      schedules: 1,
      runs,
      requests,
      faults: injected,
      succeeded: number('SUCCEEDED'),
      failed: number('FAILED'),
      aborted: number('ABORTED'),
      divergences: [],
    }
  } catch (error) {
    return { ...nothing, schedules: 1, divergences: [{ schedule, message: (error as Error).message }] }
  }
}

let tally = nothing
for (const schedule of workerData as readonly Schedule[]) tally = added(tally, await tallyOf(schedule))
parentPort?.postMessage(tally)
