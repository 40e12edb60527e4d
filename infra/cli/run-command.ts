import { drayHome } from '#infra/local/home.ts'
import { newRunId } from '#infra/local/run-id.ts'
import type { ProgressView } from '#infra/local/run-progress.ts'
import type { RunResult } from '#infra/local/run-result.ts'
import { type Services, startServices } from '#infra/local/services.ts'
import { localRunner, settleDeadRuns } from '#infra/local/settle-run.ts'
import type { StateStore } from '#shared/state/state-store.ts'
import type { Workflow } from '#shared/workflow/index.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { type Interrupts, listenForInterrupts } from './interrupts.ts'
import { openProgress } from './progress.ts'
import type { RunOptions } from './run.ts'
import { startWorkers } from './run-workers.ts'
import { printJson } from './verb.ts'
import { workflowNamed } from './workflows.ts'

const exitCodeOfStatus = {
  success: exitCodes.ok,
  failed: exitCodes.failed,
  refused: exitCodes.leaseHeld,
  interrupted: exitCodes.interrupted,
} as const

/** `dray run`: services up, demo data, the run, the report. */
export async function runCommand(name: string, options: RunOptions): Promise<ExitCode> {
  const workflow = await workflowNamed(name)
  const interrupts = listenForInterrupts()
  const home = drayHome()
  const onStart = () => {
    if (options.progress !== 'none') process.stderr.write('Starting the local services.\n')
  }
  const services = await startServices({ home, onStart })
  try {
    interrupts.signal.throwIfAborted()
    const { result, logFile } = await runInServices(workflow, { home, services, options, interrupts })
    await report(result, options, logFile)
    return exitCodeOfStatus[result.status]
  } finally {
    await services.stop()
    interrupts.stop()
  }
}

interface RunSurroundings {
  readonly home: string
  readonly services: Services
  readonly options: RunOptions
  readonly interrupts: Interrupts
}

async function runInServices(workflow: Workflow, surroundings: RunSurroundings) {
  const { home, options, interrupts } = surroundings
  const id = newRunId()
  const view = openProgress(options)
  process.env.DRAY_RUNNER = localRunner()
  const session = startWorkers({ home, id, workflow, view, echo: options.debug || options.progress === 'log' })
  interrupts.onHurry(() => session.workers.hurry())
  try {
    const { openState } = await import('#infra/local/state.ts')
    const { runWorkflow } = await import('#infra/local/run-workflow.ts')
    const state = await openState()
    await prepare(workflow, surroundings, state, view)
    const { workers, progress, logFile } = session
    const result = await runWorkflow({ id, workflow, state, workers, progress, signal: interrupts.signal })
    return { result, logFile }
  } finally {
    view.stop()
    await session.close()
  }
}

async function prepare(
  workflow: Workflow,
  { home, services, options, interrupts }: RunSurroundings,
  state: StateStore,
  view: ProgressView,
): Promise<void> {
  for (const dead of await settleDeadRuns(state)) {
    view.note(`The run ${dead} had lost its process; it is marked as failed.`)
  }
  if (options.demo) await fillDemo(home, services, state, view, interrupts.signal)
  const { createFirstTargets } = await import('#infra/local/target-tables.ts')
  for (const table of await createFirstTargets(workflow, state)) view.note(`Made the table ${table} from its model.`)
}

async function fillDemo(
  home: string,
  { embedded }: Services,
  state: StateStore,
  view: ProgressView,
  signal: AbortSignal,
): Promise<void> {
  const { prepareDemo } = await import('#infra/local/demo-data.ts')
  const { orders } = await import('#functions/orders/pipeline.ts')
  const lagSeconds = orders.extract.cursor?.lagSeconds ?? 0
  const ordersLastRun = async () => (await state.pipeline(orders.name))?.lastRun ?? null
  await prepareDemo({ home, embedded, ordersLastRun, lagSeconds, signal, note: (text) => view.note(text) })
}

async function report(result: RunResult, options: RunOptions, logFile: string): Promise<void> {
  const { jsonReport, textReport } = await import('./run-report.ts')
  if (options.json) printJson(jsonReport(result))
  else process.stdout.write(await textReport(result, { logFile, stream: process.stdout }))
}
