import { ConfigurationError } from 'dray/internal/errors.ts'
import { checked } from 'dray/internal/messages/message.ts'
import { newRunId } from 'dray/internal/messages/run-id.ts'
import { type RunRequest, runRequest } from 'dray/internal/messages/run-input.ts'
import type { KeysMode, ReadingMode } from 'dray/internal/messages/run-mode.ts'
import type { StagingStore } from 'dray/internal/staging/staging-store.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import { usedBundle } from '#dray-infra/bundle/kept-bundle.ts'
import { drayHome } from '#dray-infra/local/home.ts'
import { pruneStaging } from '#dray-infra/local/prune-staging.ts'
import { type Services, startServices } from '#dray-infra/local/services.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import type { Asked, AskedRun } from '#dray-infra/runs/asked-run.ts'
import { type AskedSteps, someSteps, stepsNamed, stepsOf } from '#dray-infra/runs/asked-steps.ts'
import { takeFollowUps } from '#dray-infra/runs/follow-ups.ts'
import { localRunner, takeRunLock } from '#dray-infra/runs/run-lock.ts'
import type { ProgressView } from '#dray-infra/runs/run-progress.ts'
import type { RunResult } from '#dray-infra/runs/run-result.ts'
import { startWorkers } from '#dray-infra/runs/run-workers.ts'
import { settleDeadRuns } from '#dray-infra/runs/settle-run.ts'
import type { Stores } from '#dray-infra/runs/stores.ts'
import { isLocal, localStores } from './environment.ts'
import { type ExitCode, exitCodeOfRun, exitCodes } from './exit-codes.ts'
import { plural } from './format.ts'
import { type Interrupts, listenForInterrupts } from './interrupts.ts'
import { keysMode } from './keys-option.ts'
import { entryOf, lineText } from './log-lines.ts'
import { whoeverReads } from './lost-readers.ts'
import { print, say } from './output.ts'
import { openProgress } from './progress.ts'
import type { RunOptions } from './run-options.ts'
import { printJson } from './verb.ts'

/**
 * `dray run`: a workflow or one pipeline of it, usually or for single keys; without a name the project's main workflow.
 */
export async function runCommand(name: string | undefined, options: RunOptions): Promise<ExitCode> {
  const named = await stepsNamed(name ?? (await loadProject()).main.name, options.workflow)
  const asked = options.only === undefined ? named : someSteps(named, options.only)
  const mode = options.keys === undefined ? null : keysMode(asked, options.keys)
  if (mode !== null) await refuseUnfitKeys(asked, mode)
  if (options.request === undefined) return runAsked(async () => ({ ...asked, mode, trigger: 'manual' }), options)
  const request = requestIn(options.request)
  const { trigger, only = asked.only, tables = null, mode: wanted = null } = request
  return runAsked(async () => ({ ...asked, only, tables, mode: wanted, trigger, request }), options)
}

function requestIn(text: string): RunRequest {
  const found = checked(runRequest, JSON.parse(text))
  if ('data' in found) return found.data
  throw new ConfigurationError(`--request is no request of a run, so nothing was run: ${found.fault}`)
}

/** A pipeline's keys are known by its model; those of a replica's table by its source, which the run asks. */
async function refuseUnfitKeys(asked: AskedSteps, { keys }: KeysMode): Promise<void> {
  const [step] = stepsOf(asked)
  const unit = step?.kind === 'pipeline' ? await (await loadProject()).findUnit(step.name) : null
  if (unit?.kind !== 'pipeline') return
  const { keysOf } = await import('dray/internal/pipeline/plan/keys.ts')
  keysOf(unit.extract, keys)
}

/** Runs what is asked for, here or in an environment, and reports. */
export async function runAsked(asked: Asked, options: RunOptions): Promise<ExitCode> {
  if (isLocal(options)) return whoeverReads(() => runLocally(asked, options))
  const { runRemotely } = await import('./remote-run.ts')
  return runRemotely(asked, options)
}

/** Services up, demo data, the run, the report; then the runs that were refused meanwhile. */
async function runLocally(asked: Asked, options: RunOptions): Promise<ExitCode> {
  if (options.detach) {
    throw new ConfigurationError(
      'A local run lives in this process, so it cannot be detached from and nothing was run; leave --detach out, or name an environment with --env.',
    )
  }
  const interrupts = listenForInterrupts()
  const home = drayHome()
  const onStart = () => {
    if (options.progress !== 'none') say('Starting the local services.\n')
  }
  const services = await startServices({ home, project: await loadProject(), onStart })
  try {
    interrupts.signal.throwIfAborted()
    return await runWithFollowUps(asked, { home, services, options, interrupts })
  } finally {
    await services.stop()
    interrupts.stop()
    if (usedBundle() === null && !interrupts.signal.aborted) await prepareNextStart()
  }
}

/** What this command has loaded file by file is bundled once, so that those after it start sooner. */
async function prepareNextStart(): Promise<void> {
  const { makeBundle } = await import('#dray-infra/bundle/make-bundle.ts')
  // Without it, as where the packages are another user's, nothing is lost but time.
  await makeBundle().catch(() => false)
}

interface RunSurroundings {
  readonly home: string
  readonly services: Services
  readonly options: RunOptions
  readonly interrupts: Interrupts
}

interface Done {
  readonly result: RunResult
  readonly logFile: string
}

async function runWithFollowUps(asked: Asked, surroundings: RunSurroundings): Promise<ExitCode> {
  const { options, interrupts } = surroundings
  const stores = await localStores()
  const { state } = stores
  for (const dead of await settleDeadRuns(state)) {
    if (options.progress !== 'none') say(`The run ${dead} had lost its process; it is marked as failed.\n`)
  }
  const { closedRows } = await pruneStaging(stores.staging, state)
  if (closedRows > 0 && options.progress !== 'none') {
    say(`${plural(closedRows, 'row')} of the quarantine, closed 30 days ago, went for good.\n`)
  }
  const first = await asked(stores)
  const done: Done[] = [await runOnce(first, { ...surroundings, stores })]
  const isReplay = first.mode !== null && 'replay' in first.mode
  if (!options.json) await reportText(done[0] as Done, isReplay ? stores.staging : undefined)
  const followUps = async (held: AskedRun): ReturnType<typeof takeFollowUps> =>
    interrupts.signal.aborted ? [] : takeFollowUps(state, held)
  const waiting = await followUps(first)
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    say(`${next.why}\n`)
    const followUp = await runOnce(next.run, {
      ...surroundings,
      options: { ...options, demo: false, runId: undefined },
      stores,
    })
    if (!options.json) await reportText(followUp)
    done.push(followUp)
    waiting.push(...(await followUps(next.run)))
  }
  if (options.json) await reportJson(done, isReplay ? stores.staging : undefined)
  const codes = done.map(({ result }) => exitCodeOfRun[result.status])
  return codes.find((code) => code !== exitCodes.ok) ?? exitCodes.ok
}

async function runOnce(asked: AskedRun, surroundings: RunSurroundings & { readonly stores: Stores }): Promise<Done> {
  const { home, options, interrupts, stores } = surroundings
  const id = options.runId ?? newRunId()
  const view = openProgress(options)
  process.env.DRAY_RUNNER = localRunner()
  const echo = options.debug ? (line: string) => echoLine(lineText(entryOf(line)), view, options) : null
  const lock = takeRunLock(home, id)
  const before = await stores.state.runs({ workflow: asked.workflow.name, limit: 1 })
  const session = await startWorkers({
    home,
    id,
    asked,
    view,
    echo,
    isolated: options.isolated === true,
    expectsRows: before.length === 0,
  })
  interrupts.onHurry(() => session.workers.hurry())
  try {
    const { runWorkflow } = await import('#dray-infra/runs/run-workflow.ts')
    await prepare(asked, surroundings, stores, view)
    const { workers, progress, logFile } = session
    const { signal } = interrupts
    const result = await runWorkflow({ ...asked, id, state: stores.state, workers, progress, signal })
    return { result, logFile }
  } finally {
    view.stop()
    await session.close()
    lock.release()
  }
}

/** Above the bars, where there are some. */
function echoLine(text: string, view: ProgressView, { progress }: RunOptions): void {
  if (progress === 'none') say(`${text}\n`)
  else for (const line of text.split('\n')) view.note(line)
}

async function prepare(
  asked: AskedRun,
  { home, services, options, interrupts }: RunSurroundings,
  stores: Stores,
  view: ProgressView,
): Promise<void> {
  const { state } = stores
  if (options.demo) await fillDemo(home, services, state, view, interrupts.signal)
  const { createFirstTargets } = await import('#dray-infra/runs/target-tables.ts')
  const steps = stepsOf(asked).filter(({ kind }) => kind !== 'task')
  const names = steps.flatMap(({ kind, name }) => (kind === 'pipeline' ? [name] : []))
  const project = await loadProject()
  for (const table of await createFirstTargets(project, names, state))
    view.note(`Made the table ${table} from its model.`)
  const { refuseToStart } = await import('./refuse-to-start.ts')
  const alone = isAlone(asked) ? await aloneIn(asked, stores, interrupts.signal) : null
  await refuseToStart(project, asked, { steps, embedded: services.embedded, alone })
}

/** One pipeline that somebody waits for: what its Plan would refuse is said before a run begins. */
function isAlone(asked: AskedRun): boolean {
  const [step, ...others] = stepsOf(asked)
  const isAskedByHand = asked.request === undefined && (asked.trigger === 'manual' || asked.trigger === 'backfill')
  return isAskedByHand && step?.kind === 'pipeline' && others.length === 0
}

async function aloneIn({ mode }: AskedRun, stores: Stores, signal: AbortSignal) {
  const { servicesOf } = await import('#dray-infra/doctor/doctor.ts')
  const services = servicesOf({ ...stores, signal, now: Date.now })
  return { services, makesTargets: true, mode: mode as ReadingMode | null }
}

async function fillDemo(
  home: string,
  { embedded }: Services,
  state: StateStore,
  view: ProgressView,
  signal: AbortSignal,
): Promise<void> {
  const { demo } = await loadProject()
  if (demo === undefined) return view.note('The project has no demo data (infra/project.ts), so none is added.')
  const lastRun = async (pipeline: string) => (await state.pipeline(pipeline))?.lastRun ?? null
  await demo({ home, embedded, lastRun, signal, note: (text) => view.note(text) })
}

async function reportText({ result, logFile }: Done, replayed?: StagingStore): Promise<void> {
  const { textReport } = await import('./run-report.ts')
  const places = { env: 'local', logFile, stream: process.stdout, ...(replayed === undefined ? {} : { replayed }) }
  print(await textReport(result, places))
}

async function reportJson([first, ...followUps]: readonly Done[], replayed?: StagingStore): Promise<void> {
  const { jsonReport, jsonReportOf } = await import('./run-report.ts')
  const reports = followUps.map(({ result }) => jsonReport(result))
  const report = await jsonReportOf((first as Done).result, replayed)
  printJson('run', { ...report, ...(reports.length === 0 ? {} : { follow_ups: reports }) })
}
