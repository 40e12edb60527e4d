import { newRunId } from '#infra/local/run-id.ts'
import type { OpenEnvironment } from '#infra/remote/open-environment.ts'
import { explained } from '#infra/remote/refusals.ts'
import { type WatchedRun, watchRun } from '#infra/remote/watch-run.ts'
import { workflows } from '#infra/workflows/index.ts'
import { ConfigurationError, TransientError } from '#shared/active-record/errors.ts'
import { toStatesLanguage, type Workflow } from '#shared/workflow/index.ts'
import { type RunInput, runInput } from '#shared/workflow/run-input.ts'
import { type ExitCode, exitCodeOfRun, exitCodes } from './exit-codes.ts'
import { listenForInterrupts } from './interrupts.ts'
import { openProgress } from './progress.ts'
import type { RunOptions } from './run.ts'
import type { Asked, AskedRun } from './run-command.ts'
import { jsonReport, textReport } from './run-report.ts'
import { commandFor, type Stores, withRemote } from './target.ts'
import { printJson } from './verb.ts'

/** Starts what is asked for on a deployed environment, shows how far it comes, and reports as a local run does. */
export function runRemotely(asked: Asked, options: RunOptions): Promise<ExitCode> {
  return withRemote(options, async (environment) => {
    const { workflow, name, input } = executionOf(await asked(environment))
    const id = newRunId()
    const machine = environment.machine(workflow.name)
    await machine.start(id, input)
    const run = watchedRun(workflow, input.only ?? null, { id, name, environment })
    if (!options.detach) return watch(run, environment, options)
    say(run, options, `Started the run ${id} of ${name}: \`${commandFor(options, `dray runs watch ${id}`)}\` shows it.`)
    return exitCodes.ok
  })
}

/** Which state machine a run is for, what a person calls it, and its input. */
function executionOf({ workflow, only = null, mode, trigger }: AskedRun) {
  const names = workflow.steps.map((step) => step.name)
  const whole = workflows.find((one) => one.name === workflow.name)
  const deployed = whole ?? workflows.find((one) => names.every((name) => one.steps.some((step) => step.name === name)))
  if (deployed === undefined) throw new ConfigurationError(`No workflow runs ${names.join(', ')}, so nothing was run.`)
  const steps = only ?? (whole === undefined ? names : null)
  const input: RunInput = {
    trigger,
    ...(steps === null ? {} : { only: [...steps] }),
    ...(mode === null ? {} : { mode: mode as NonNullable<RunInput['mode']> }),
  }
  const checked = runInput.safeParse(input)
  if (!checked.success) {
    throw new ConfigurationError(
      `The run cannot be asked for, so nothing was started: ${checked.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}`,
    )
  }
  return { workflow: deployed, name: workflow.name, input }
}

/** What is watched of a run of a deployed workflow, or of some of its steps. */
export function watchedRun(
  workflow: Workflow,
  only: readonly string[] | null,
  { id, name, environment }: { readonly id: string; readonly name: string; readonly environment: OpenEnvironment },
): WatchedRun {
  const machine = environment.machine(workflow.name)
  return {
    id,
    name,
    steps: only ?? workflow.steps.map((step) => step.name),
    notes: only === null ? toStatesLanguage(workflow).notes : [],
    async execution() {
      const found = await machine.execution(id)
      if (found !== null) return found
      throw new ConfigurationError(`There is no execution ${id} of ${workflow.name} in ${environment.settings.name}.`)
    },
  }
}

/** Shows a run until it ends, and reports; Ctrl-C leaves it alone. */
export async function watch(run: WatchedRun, stores: Stores, options: RunOptions): Promise<ExitCode> {
  const interrupts = listenForInterrupts()
  const view = openProgress(options)
  const again = commandFor(options, `dray runs watch ${run.id}`)
  try {
    const result = await watchRun(run, { ...stores, view, signal: interrupts.signal })
    view.stop()
    if (result === null) {
      say(
        run,
        options,
        `The run ${run.id} goes on: \`${again}\` shows it, \`${commandFor(options, `dray runs stop ${run.id}`)}\` ends it.`,
      )
      return exitCodes.interrupted
    }
    const { staging } = stores
    const places = { stream: process.stdout, locate: (prefix: string) => staging.locate(prefix), ...options }
    if (options.json) printJson(jsonReport(result))
    else process.stdout.write(await textReport(result, places))
    return exitCodeOfRun[result.status]
  } catch (error) {
    const { message } = explained(error, options.target) as Error
    throw new TransientError(
      `The run ${run.id} cannot be watched any more, and goes on without it: ${message} \`${again}\` shows it again.`,
      { cause: error },
    )
  } finally {
    view.stop()
    interrupts.stop()
  }
}

function say({ id, name }: WatchedRun, { json }: RunOptions, text: string): void {
  if (json) printJson({ run_id: id, workflow: name, status: 'running' })
  else process.stdout.write(`${text}\n`)
}
