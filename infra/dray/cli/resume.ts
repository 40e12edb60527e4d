import type { Command } from 'commander'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import type { AskedRun } from '#dray-infra/runs/asked-run.ts'
import { commandFor, requireLocal } from './environment.ts'
import type { RunOptions } from './run-options.ts'
import {
  detachOption,
  INTERRUPT_HELP,
  isolatedOption,
  progressOption,
  runIdOption,
  type Verbs,
  withCommonOptions,
} from './verb.ts'

export function addResume(program: Command, verbs: Verbs): void {
  withCommonOptions(program.command('resume'))
    .description('resume a run that failed or died; what has landed is not loaded again')
    .argument('<run>')
    .addOption(isolatedOption())
    .addOption(detachOption())
    .addOption(runIdOption())
    .addOption(progressOption())
    .addHelpText('after', INTERRUPT_HELP)
    .action(async (id: string, _options, command: Command) => {
      const options: RunOptions = command.optsWithGlobals()
      if (options.isolated) requireLocal(options, '--isolated')
      const { runAsked } = await import('./run-command.ts')
      verbs.exitCode = await runAsked(({ state }) => resumed(state, id, options), options)
    })
}

async function resumed(state: StateStore, id: string, options: RunOptions): Promise<AskedRun> {
  const { stepsNamed } = await import('#dray-infra/runs/asked-steps.ts')
  const { resumedRuns } = await import('dray/internal/pipeline/plan/resumed-runs.ts')
  const [detail] = await resumedRuns(state, id)
  const run = detail?.run
  if (run === undefined || run.status === 'success') {
    throw new ConfigurationError(
      `The run ${id} has succeeded, so there is nothing to resume; \`${commandFor(options, `dray run ${run?.workflow ?? '<workflow>'}`)}\` reads what has changed since.`,
    )
  }
  if (run.status === 'running') {
    throw new ConfigurationError(
      `The run ${id} is still at work (${run.runner}), so it cannot be resumed; wait for its end, which \`${commandFor(options, `dray runs show ${id}`)}\` tells.`,
    )
  }
  const asked = await stepsNamed(run.workflow)
  const { only = null, tables = null } = run
  return {
    ...asked,
    ...(only === null ? {} : { only }),
    ...(tables === null ? {} : { tables }),
    mode: { resume: id },
    trigger: 'resume',
  }
}
