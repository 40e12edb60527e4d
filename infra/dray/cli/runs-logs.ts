import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { unitOf } from 'dray/internal/messages/step-name.ts'
import type { OpenEnvironment } from '#dray-infra/remote/open-environment.ts'
import { isLocal, withRemote } from './environment.ts'
import { type Entry, entryOf, lineText } from './log-lines.ts'
import { printAsIs, say } from './output.ts'
import { type CommonOptions, printJson, withCommonOptions } from './verb.ts'

export function addRunsLogs(verb: Command): void {
  withCommonOptions(verb.command('logs'))
    .description('what the functions of a run have logged, in the order of time')
    .argument('<id>')
    .action((id: string, _options, command: Command) => logs(id, command.optsWithGlobals()))
}

async function logs(id: string, options: CommonOptions): Promise<void> {
  const entries = await logEntries(id, options)
  if (options.json) return printJson('runs logs', { run_id: id, entries })
  for (const entry of entries) printAsIs(`${lineText(entry)}\n`)
  if (entries.length === 0) say('Nothing has been logged of this run yet, or its logs have expired.\n')
}

/** What the functions of a run have logged. */
async function logEntries(id: string, options: CommonOptions): Promise<Entry[]> {
  return isLocal(options) ? localEntries(id) : withRemote(options, (environment) => entriesIn(environment, id))
}

/** What is kept of the log of a local run: nothing of one that has logged nothing. */
export async function keptEntries(id: string): Promise<Entry[]> {
  try {
    return await localEntries(id)
  } catch (error) {
    if (((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return []
    throw error
  }
}

/** The same of a local run. */
async function localEntries(id: string): Promise<Entry[]> {
  return (await localLines(id)).map(entryOf)
}

/** The same of a run in an environment. */
export async function entriesIn(environment: OpenEnvironment, id: string): Promise<Entry[]> {
  const { executionNamed } = await import('#dray-infra/remote/find-execution.ts')
  const { logGroupsOf, logLinesOf } = await import('#dray-infra/remote/run-logs.ts')
  const { workflow, execution } = await executionNamed(id, environment)
  // Those that have begun; of a run that has just started, none is known yet.
  const begun = (await environment.state.run(id))?.steps.map(({ step }) => unitOf(step)) ?? []
  const groups = logGroupsOf(environment.settings.name, workflow.name, [...new Set(begun)])
  const lines = await logLinesOf({ id, ...execution }, groups)
  return lines.map(({ text }) => entryOf(text))
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
