import { hostname, userInfo } from 'node:os'
import type { Command } from 'commander'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { commandFor, isLocal, withRemote, withStores } from './environment.ts'
import { foundRun } from './found-run.ts'
import { print } from './output.ts'
import { type CommonOptions, printJson, withCommonOptions } from './verb.ts'

export function addRunsStop(verb: Command): void {
  withCommonOptions(verb.command('stop'))
    .description('end a run; what it has not loaded whole is rolled back, and dray resume loads it')
    .argument('<id>')
    .action((id: string, _options, command: Command) => stop(id, command.optsWithGlobals()))
}

async function stop(id: string, options: CommonOptions): Promise<void> {
  await (isLocal(options) ? stopLocal(id, options) : stopRemote(id, options))
  if (options.json) return printJson('runs stop', { run_id: id, stopped: true })
  const resume = commandFor(options, `dray resume ${id}`)
  print(`The run ${id} is stopping; \`${resume}\` resumes it once it has ended.\n`)
}

async function stopRemote(id: string, options: CommonOptions): Promise<void> {
  const { executionNamed } = await import('#dray-infra/remote/find-execution.ts')
  await withRemote(options, async (environment) => {
    const { machine, execution } = await executionNamed(id, environment)
    if (execution.status !== 'running') throw ended(id, options)
    const running = (await environment.state.run(id))?.steps.filter(({ status }) => status === 'running') ?? []
    const steps = running.map(({ step }) => step)
    await machine.stop(id, `by dray runs stop of ${userInfo().username}@${hostname()}`, steps)
  })
}

/** The process that runs it ends it as after a Ctrl-C. */
async function stopLocal(id: string, options: CommonOptions): Promise<void> {
  const { run } = await withStores(options, ({ state }) => foundRun(state, id, options))
  if (run.status !== 'running') throw ended(id, options)
  const { isWorkedOn, pidHere } = await import('#dray-infra/runs/run-lock.ts')
  const pid = pidHere(run)
  if (pid === null) {
    throw new ConfigurationError(`The run ${id} is at work on another machine (${run.runner}); stop it there.`)
  }
  const gone = `The process of the run ${id} (${run.runner}) is gone, so there is nothing to stop; \`npx dray resume ${id}\` resumes it.`
  if (!isWorkedOn(run)) throw new ConfigurationError(gone)
  try {
    process.kill(pid, 'SIGINT')
  } catch (error) {
    throw new ConfigurationError(gone, { cause: error })
  }
}

function ended(id: string, options: CommonOptions): ConfigurationError {
  return new ConfigurationError(
    `The run ${id} has ended, so there is nothing to stop; \`${commandFor(options, `dray runs show ${id}`)}\` shows it.`,
  )
}
