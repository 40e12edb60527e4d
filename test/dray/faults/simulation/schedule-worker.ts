import { parentPort, workerData } from 'node:worker_threads'
import { drawFamily, FamilySimulation } from './family-simulation.ts'
import { drawScenario } from './scenario.ts'
import { added, nothing, type Schedule, type Tally } from './schedules.ts'
import { Simulation } from './simulation.ts'

async function tallyOf(schedule: Schedule): Promise<Tally> {
  const { seed, over = {}, at, isOfFamily = false } = schedule
  const drawn = isOfFamily ? drawFamily(seed, over) : drawScenario(seed, over)
  const scenario = at === undefined ? drawn : { ...drawn, faults: { ...drawn.faults, at } }
  try {
    const simulation = isOfFamily ? new FamilySimulation(scenario) : new Simulation(scenario)
    const { runs, requests, injected, statuses } = await simulation.run()
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
