import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { unitOf } from 'dray/internal/messages/step-name.ts'
import { isLocal, withRemote } from './environment.ts'
import { entryOf, lineText } from './log-lines.ts'
import { print, say } from './output.ts'
import { type CommonOptions, printJson, withCommonOptions } from './verb.ts'

export function addRunsLogs(verb: Command): void {
  withCommonOptions(verb.command('logs'))
    .description('what the functions of a run have logged, in the order of time')
    .argument('<id>')
    .action((id: string, _options, command: Command) => logs(id, command.optsWithGlobals()))
}

async function logs(id: string, options: CommonOptions): Promise<void> {
  const lines = await (isLocal(options) ? localLines(id) : remoteLines(id, options))
  const entries = lines.map(entryOf)
  if (options.json) return printJson({ run_id: id, entries })
  for (const entry of entries) print(`${lineText(entry)}\n`)
  if (entries.length === 0) say('Nothing has been logged of this run yet, or its logs have expired.\n')
}

async function localLines(id: string): Promise<string[]> {
  const { drayHome, fileOfRun } = await import('#dray-infra/local/home.ts')
  const file = fileOfRun(join(drayHome(), 'logs'), id, 'jsonl')
  try {
    return (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
  } catch (error) {
    throw new ConfigurationError(`There is no log of a run ${id} (${file}); \`npx dray runs\` lists the runs.`, {
      cause: error,
    })
  }
}

async function remoteLines(id: string, options: CommonOptions): Promise<string[]> {
  const { executionNamed } = await import('#dray-infra/remote/find-execution.ts')
  const { logGroupsOf, logLinesOf } = await import('#dray-infra/remote/run-logs.ts')
  return withRemote(options, async (environment) => {
    const { workflow, execution } = await executionNamed(id, environment)
    // Those that have begun; of a run that has just started, none is known yet.
    const begun = (await environment.state.run(id))?.steps.map(({ step }) => unitOf(step)) ?? []
    const groups = logGroupsOf(environment.settings.name, workflow.name, [...new Set(begun)])
    const lines = await logLinesOf({ id, ...execution }, groups)
    return lines.map(({ text }) => text)
  })
}
