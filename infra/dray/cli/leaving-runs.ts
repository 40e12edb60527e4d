import { setTimeout as delay } from 'node:timers/promises'
import { SFNClient } from '@aws-sdk/client-sfn'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import { machineNames, runsOnLeavingMachines } from '#dray-infra/remote/leaving-machines.ts'
import { mayPass } from '#dray-infra/remote/refusals.ts'
import { say } from './output.ts'

/** How often it is asked whether a run has ended. */
const AGAIN_MS = 5_000

/** Waits for runs of pipelines and workflows that a deployment takes away, which it would end. */
export function waitForLeavingRuns(environment: string, { workflows }: LoadedProject): Promise<void> {
  return waitForRuns(environment, machineNames(environment, workflows))
}

/** Waits for all runs of an environment that is to be destroyed. */
export function waitForAllRuns(environment: string): Promise<void> {
  return waitForRuns(environment, new Set())
}

async function waitForRuns(environment: string, stays: ReadonlySet<string>): Promise<void> {
  const client = new SFNClient()
  const said = new Set<string>()
  const look = async () => {
    try {
      return await runsOnLeavingMachines(client, environment, stays)
    } catch (error) {
      // One that is known to be at work is not ended since the network was away for a moment.
      if (said.size > 0 && mayPass(error)) return null
      throw error
    }
  }
  try {
    for (let runs = await look(); runs === null || runs.length > 0; runs = await look()) {
      for (const { run, machine } of runs ?? []) {
        if (said.has(run)) continue
        said.add(run)
        say(
          `${machine} is taken away, or starts what is, and the run ${run} is at work there: waiting until it has ended. \`npx dray runs stop ${run} --env ${environment}\` ends it; Ctrl-C ends this command, and nothing is changed.\n`,
        )
      }
      await delay(AGAIN_MS)
    }
  } catch (error) {
    const { name, message } = error as Error
    say(
      `Whether a run is at work on what is taken away is not known (${name}: ${message}); such a run would be ended, and \`npx dray resume\` does the rest of it.\n`,
    )
  } finally {
    client.destroy()
  }
}
