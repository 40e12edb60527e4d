import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { closeDatabases } from 'dray/internal/active-record/database.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { isEmulatorUp, joinEmulator, prepareEmulator, stopEmulator } from '#dray-infra/emulator/emulated.ts'
import { drayHome, makeHome } from '#dray-infra/local/home.ts'
import { type Services, startServices } from '#dray-infra/local/services.ts'
import { EMULATED } from '#dray-infra/project/emulated-name.ts'
import { environmentNamed } from '#dray-infra/project/environments.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import { keptResources } from '#dray-infra/remote/kept-resources.ts'
import { explained } from '#dray-infra/remote/refusals.ts'
import { checkSignedIn } from '#dray-infra/remote/signed-in.ts'
import { checkServers, engineOfServer } from './databases.ts'
import { madeFile } from './made.ts'
import { Proof } from './proof.ts'
import { provenSettings } from './proven-project.ts'

export interface ProveOptions {
  /** Where it is done, and how databases are reached there. */
  readonly environment: string
  readonly project: LoadedProject
  readonly signal: AbortSignal
  /** Called with what each step has shown. */
  readonly told: (step: StepReport) => void
  readonly note: (text: string) => void
}

export interface StepReport {
  readonly name: string
  readonly isShown: boolean
  /** What was seen, or why it was not. */
  readonly said: string
  readonly seconds: number
}

export interface ProveReport {
  /** Of the environment that was made. */
  readonly name: string
  readonly steps: readonly StepReport[]
  /** Of its runs, in US dollars; null where none has said. */
  readonly cost: number | null
  /** The file with what each command printed; null where all was shown, and the file is gone. */
  readonly log: string | null
}

/** Shows on an account, or on the emulator, that an environment can be deployed, run, mended and taken down. */
export function prove(options: ProveOptions): Promise<ProveReport> {
  const name = `prove-${randomBytes(3).toString('hex')}`
  const begin = () =>
    options.note(
      `The environment ${name} is made. Should this be killed: npx dray prove ${options.environment} --clean ${name}\n`,
    )
  return inPlace({ ...options, begin }, name, async (proof) => {
    options.signal.addEventListener('abort', () =>
      options.note('Interrupted: what is at work is waited for, and what was made is taken down.\n'),
    )
    const steps: StepReport[] = []
    for (const { name: step, work } of proof.steps()) {
      const report = await shown(step, work, options)
      steps.push(report)
      if (report.isShown) continue
      await proof.note(`${step}: ${report.said}\n`)
      break
    }
    const cost = await proof.readCost().catch(() => null)
    return { cost, steps: [...steps, await shown('take down', () => proof.takeDown(), options)] }
  })
}

/** Takes down what a proof that was killed has left. Throws `Configuration` where there is none of that name here. */
export function cleanProof(options: ProveOptions, name: string): Promise<ProveReport> {
  if (!/^prove-[0-9a-f]{6}$/.test(name) || !existsSync(proofFolder(name))) {
    throw new ConfigurationError(
      `There is no proof ${name} in ${join(drayHome(), 'prove')}, so nothing was taken down; its name is in what the command has printed.`,
    )
  }
  return inPlace({ ...options, begin: () => {} }, name, async (proof) => {
    const report = await shown('take down', () => proof.takeDown(), options)
    if (!report.isShown) await proof.note(`${report.said}\n`)
    return { cost: null, steps: [report] }
  })
}

function proofFolder(name: string): string {
  return join(drayHome(), 'prove', name)
}

interface Begun extends ProveOptions {
  /** Called before anything is made, once nothing speaks against it. */
  readonly begin: () => void
}

/** Nothing stays of a proof that has shown all. */
async function inPlace(
  options: Begun,
  name: string,
  work: (proof: Proof) => Promise<Pick<ProveReport, 'steps' | 'cost'>>,
): Promise<ProveReport> {
  let report: ProveReport | null = null
  try {
    report = await atServers(options, name, work)
    return report
  } finally {
    // Where nothing was begun there is nothing to look up, nor to clean.
    const isOver = report === null ? !existsSync(madeFile(proofFolder(name))) : report.log === null
    const folder = proofFolder(name)
    if (isOver) await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    else if (!existsSync(madeFile(folder)))
      await rm(emulatorHome(folder), { recursive: true, force: true, maxRetries: 5 })
  }
}

async function atServers(
  options: Begun,
  name: string,
  work: (proof: Proof) => Promise<Pick<ProveReport, 'steps' | 'cost'>>,
): Promise<ProveReport> {
  const { environment, project, signal } = options
  const isEmulated = environment === EMULATED
  const folder = proofFolder(name)
  let services: Services | null = null
  try {
    const base = environmentNamed(environment, project)
    if (!isEmulated) serversOfVariables()
    makeHome(drayHome())
    makeHome(join(drayHome(), 'prove'))
    makeHome(folder)
    // An embedded server of the proof's own goes with its folder.
    const databases = { 'prove-source': { embedded: 'postgres' }, 'prove-target': { embedded: 'postgres' } } as const
    services = await startServices({ home: join(folder, '.dray'), project: { databases }, state: false })
    const { engines, source, target } = serversOfVariables()
    const places = { source, target, schema: name.replace('-', '_') }
    await checkServers(places)
    signal.throwIfAborted()
    options.begin()
    if (isEmulated) await useSomeEmulator(options, folder)
    else await checkSignedIn(base)
    signal.throwIfAborted()
    const isDeployed = (await keptResources(environment)).length > 0
    const settings = provenSettings(name, { base, isDeployed, engines })
    const embedded = services.embedded
    const servers = [
      embedded.has('prove-source') ? 'embedded' : placeOf(source),
      embedded.has('prove-target') ? 'embedded' : placeOf(target),
    ].join(' and ')
    const proof = new Proof({ name, folder, settings, places, servers, signal })
    const { steps, cost } = await work(proof)
    return { name, steps, cost, log: steps.every((step) => step.isShown) ? null : proof.log }
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw explained(error, environment)
  } finally {
    await closeDatabases()
    await services?.stop()
    if (isEmulated) await stopEmulator(emulatorHome(folder))
  }
}

/** Of the embedded servers, and of an emulator that a proof has to itself, which nobody else deploys to. */
function emulatorHome(folder: string): string {
  return join(folder, '.dray')
}

/** The emulator that is up, or one of the proof's own, which ends with it. */
async function useSomeEmulator({ project, note }: ProveOptions, folder: string): Promise<void> {
  const home = emulatorHome(folder)
  if (await isEmulatorUp(home)) return joinEmulator(home)
  if (await isEmulatorUp()) return prepareEmulator({ project, note })
  return prepareEmulator({ home, project: null, note })
}

/** Without who signs in there. */
function placeOf(url: string): string {
  const { host, pathname } = new URL(url)
  return `${host}${pathname}`
}

/** Throws `Configuration` where one is not given. */
function serversOfVariables() {
  const { PROVE_SOURCE_DATABASE_URL: source, PROVE_TARGET_DATABASE_URL: target } = process.env
  const engines = {
    source: engineOfServer('PROVE_SOURCE_DATABASE_URL', source),
    target: engineOfServer('PROVE_TARGET_DATABASE_URL', target),
  }
  return { engines, source: source as string, target: target as string }
}

async function shown(name: string, work: () => Promise<string>, { told }: ProveOptions): Promise<StepReport> {
  const start = performance.now()
  const [isShown, said] = await work().then(
    (text) => [true, text] as const,
    (error: Error) => [false, error.message] as const,
  )
  const report = { name, isShown, said, seconds: (performance.now() - start) / 1000 }
  told(report)
  return report
}
