import { registerHooks } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import type { Mutant } from './mutant.ts'

/** Which schedule caught the bug, or null; or why the bug could not be put in. */
export type MutantResult =
  | { readonly caughtBy: number; readonly message: string }
  | { readonly survived: number }
  | { readonly misfit: string }

const { mutant, schedules } = workerData as { mutant: Mutant; schedules: number }
const root = new URL('../../../../', import.meta.url).href
const changes = new Map([mutant, ...(mutant.also ? [mutant.also] : [])].map(({ file, edits }) => [root + file, edits]))
const misfits: string[] = []

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    const edits = changes.get(url)
    if (edits === undefined) return loaded
    let source = String(loaded.source)
    for (const [find, replace] of edits) {
      const places = source.split(find).length - 1
      // A pattern with a group leaves that group between the places when it splits.
      if (places < 1 || (typeof find === 'string' && places > 1)) {
        misfits.push(`${url.slice(root.length)} has not exactly one: ${find}`)
      }
      source = typeof find === 'string' ? source.replace(find, () => replace) : source.replace(find, replace)
    }
    changes.delete(url)
    return { ...loaded, source }
  },
})

/** What the changed code does behind everybody's back is a catch, too. */
let stray: Error | null = null
process.on('uncaughtException', (error) => {
  stray = error
})

async function simulationFor({ family }: Mutant) {
  const { drawScenario } = await import('./scenario.ts')
  if (family) {
    const { drawFamily, FamilySimulation } = await import('./family-simulation.ts')
    return { Simulation: FamilySimulation, drawSchedule: drawFamily }
  }
  const { Simulation } = await import('./simulation.ts')
  const drawSchedule = (seed: number, over?: Mutant['over']) => drawScenario(seed, { kind: 'usual', ...over })
  return { Simulation, drawSchedule }
}

async function hunt(): Promise<MutantResult> {
  const { Simulation, drawSchedule } = await simulationFor(mutant)
  for (const file of changes.keys()) misfits.push(`${file.slice(root.length)} was not loaded`)
  if (misfits.length > 0) return { misfit: misfits.join('; ') }
  for (let seed = 1; seed <= schedules; seed++) {
    parentPort?.postMessage({ begins: seed })
    try {
      await new Simulation(drawSchedule(seed, mutant.over)).run()
    } catch (error) {
      return { caughtBy: seed, message: (error as Error).message }
    }
    if (stray !== null) return { caughtBy: seed, message: (stray as Error).message }
  }
  return { survived: schedules }
}

parentPort?.postMessage(await hunt().catch((error: Error): MutantResult => ({ misfit: String(error.stack) })))
