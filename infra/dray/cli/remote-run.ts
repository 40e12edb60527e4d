import { ConfigurationError, TransientError } from 'dray/internal/errors.ts'
import { newRunId } from 'dray/internal/messages/run-id.ts'
import { type RunInput, runInputOf } from 'dray/internal/messages/run-input.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import type { Machine } from '#dray-infra/remote/machine.ts'
import { explained } from '#dray-infra/remote/refusals.ts'
import { type WatchedRun, watchRun } from '#dray-infra/remote/watch-run.ts'
import type { Asked, AskedRun } from '#dray-infra/runs/asked-run.ts'
import { type AskedSteps, nameOf, stepsOf } from '#dray-infra/runs/asked-steps.ts'
import type { Stores } from '#dray-infra/runs/stores.ts'
import { commandFor, withRemote } from './environment.ts'
import { type ExitCode, exitCodeOfRun, exitCodes } from './exit-codes.ts'
import { listenForInterrupts } from './interrupts.ts'
import { print } from './output.ts'
import { openProgress } from './progress.ts'
import type { RunOptions } from './run-options.ts'
import { jsonReportOf, textReport } from './run-report.ts'
import { printJson } from './verb.ts'

/** Starts what is asked for on a deployed environment, shows how far it comes, and reports as a local run does. */
export function runRemotely(asked: Asked, options: RunOptions): Promise<ExitCode> {
  return withRemote(options, async (environment) => {
    const given = await asked(environment)
    const id = options.runId ?? newRunId()
    const machine = environment.machine(given.workflow.name)
    await machine.start(id, inputOf(given))
    const run = watchedRun({ ...given, machine }, id, environment.settings.name)
    const isReplay = given.mode !== null && 'replay' in given.mode
    if (!options.detach) return watch(run, environment, options, isReplay)
    announce(
      run,
      options,
      `Started the run ${id} of ${nameOf({ ...run, tables: run.asked ?? null })}: \`${commandFor(options, `dray runs watch ${id}`)}\` shows it.`,
    )
    return exitCodes.ok
  })
}

/** The input of the execution. */
function inputOf({ workflow, only, tables = null, mode, trigger }: AskedRun): RunInput {
  const input: RunInput = {
    trigger,
    ...(only === null ? {} : { only }),
    ...(tables === null ? {} : { tables: [...tables] }),
    ...(mode === null ? {} : { mode }),
  }
  const checked = runInputOf(workflow.steps.map(({ name }) => name)).safeParse(input)
  if (checked.success) return input
  throw new ConfigurationError(
    `The run cannot be asked for, so nothing was started: ${checked.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}`,
  )
}

/** What is watched of a run of a deployed workflow, or of some of its steps. */
export function watchedRun(
  asked: AskedSteps & { readonly machine: Machine; readonly steps?: readonly string[] },
  id: string,
  environment: string,
): WatchedRun {
  const { workflow, only, tables = null, machine } = asked
  return {
    id,
    workflow: workflow.name,
    only,
    asked: tables,
    steps: asked.steps ?? stepsOf(asked).map(({ name }) => name),
    notes: only === null ? toStatesLanguage(workflow).notes : [],
    async execution() {
      const found = await machine.execution(id)
      if (found !== null) return found
      throw new ConfigurationError(`There is no execution ${id} of ${workflow.name} in ${environment}.`)
    },
  }
}

/** Shows a run until it ends, and reports; Ctrl-C leaves it alone. */
export async function watch(run: WatchedRun, stores: Stores, options: RunOptions, isReplay = false): Promise<ExitCode> {
  const interrupts = listenForInterrupts()
  const view = openProgress(options)
  const again = commandFor(options, `dray runs watch ${run.id}`)
  try {
    const result = await watchRun(run, { ...stores, view, signal: interrupts.signal })
    view.stop()
    if (result === null) {
      announce(
        run,
        options,
        `The run ${run.id} goes on: \`${again}\` shows it, \`${commandFor(options, `dray runs stop ${run.id}`)}\` ends it.`,
      )
      return exitCodes.interrupted
    }
    const { staging } = stores
    const locate = (prefix: string) => staging.locate(prefix)
    const places = { stream: process.stdout, locate, ...options, ...(isReplay ? { replayed: staging } : {}) }
    if (options.json) printJson('run', await jsonReportOf(result, isReplay ? staging : undefined))
    else print(await textReport(result, places))
    return exitCodeOfRun[result.status]
  } catch (error) {
    const { message } = explained(error, options.env) as Error
    throw new TransientError(
      `The run ${run.id} cannot be watched any more, and continues without it: ${message} \`${again}\` shows it again.`,
      { cause: error },
    )
  } finally {
    view.stop()
    interrupts.stop()
  }
}

function announce({ id, workflow, only }: WatchedRun, { json }: RunOptions, text: string): void {
  if (json) printJson('run', { run_id: id, workflow, only, status: 'running' })
  else print(`${text}\n`)
}
