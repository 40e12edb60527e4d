import type { Command } from 'commander'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import type { Execution } from '#dray-infra/remote/machine.ts'
import { isLocal, withRemote, withStores } from './environment.ts'
import type { ExitCode } from './exit-codes.ts'
import { foundRun } from './found-run.ts'
import type { RunOptions } from './run-options.ts'
import { INTERRUPT_HELP, progressOption, type Verbs, withCommonOptions } from './verb.ts'

export function addRunsWatch(verb: Command, verbs: Verbs): void {
  withCommonOptions(verb.command('watch'))
    .description('show a run until it ends, and report')
    .argument('<id>')
    .addOption(progressOption())
    .addHelpText('after', INTERRUPT_HELP)
    .action(async (id: string, _options, command: Command) => {
      const options: RunOptions = command.optsWithGlobals()
      verbs.exitCode = await (isLocal(options) ? watchLocal(id, options) : watchRemote(id, options))
    })
}

async function watchRemote(id: string, options: RunOptions): Promise<ExitCode> {
  const { watch, watchedRun } = await import('./remote-run.ts')
  const { executionNamed } = await import('#dray-infra/remote/find-execution.ts')
  return withRemote(options, async (environment) => {
    const found = await executionNamed(id, environment)
    return watch(watchedRun(found, id, environment.settings.name), environment, options)
  })
}

/** Another process runs it: its metrics are all there is to look at. */
async function watchLocal(id: string, options: RunOptions): Promise<ExitCode> {
  const { watch } = await import('./remote-run.ts')
  const { stepsNamed, stepsOf } = await import('#dray-infra/runs/asked-steps.ts')
  const { settleDeadRuns } = await import('#dray-infra/runs/settle-run.ts')
  return withStores(options, async (stores) => {
    const { run } = await foundRun(stores.state, id, options)
    const named = await stepsNamed(run.workflow)
    const { tables = null } = run
    const asked = { ...named, only: run.only ?? named.only, tables }
    const steps = stepsOf(asked).map(({ name }) => name)
    const execution = async () => {
      await settleDeadRuns(stores.state)
      return recorded(stores.state, id, options)
    }
    const { workflow, only } = asked
    return watch({ id, workflow: workflow.name, only, asked: tables, steps, notes: [], execution }, stores, options)
  })
}

async function recorded(state: StateStore, id: string, options: RunOptions): Promise<Execution> {
  const { status, startTime, endTime, error } = (await foundRun(state, id, options)).run
  const ended = status === 'success' ? 'succeeded' : 'failed'
  return { status: status === 'running' ? 'running' : ended, startTime, endTime, reason: error }
}
