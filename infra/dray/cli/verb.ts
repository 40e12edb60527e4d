import { type Command, InvalidArgumentError, Option } from 'commander'
import type { EnvFile } from '#dray-infra/project/env-file.ts'
import { visibleJson } from '#dray-infra/texts/invisible.ts'
import type { DocumentName, DocumentOf } from './documents/documents.ts'
import { printAsIs } from './output.ts'

/** What the verbs of one command line share. */
export interface Verbs {
  exitCode: number
  /** What `.env` of the project has set; null where there is none. */
  envFile: EnvFile | null
}

export interface CommonOptions {
  readonly env: string
  readonly json: boolean
  readonly debug: boolean
}

export type ProgressMode = 'auto' | 'log' | 'none'

/** Adds the options that every verb takes. */
export function withCommonOptions(command: Command): Command {
  return command
    .option('--env <name>', 'where: local, or the name of a deployed environment', 'local')
    .addOption(formerTarget())
    .option('--json', 'print one JSON document on stdout')
}

/** The name that `--env` had before. */
function formerTarget(): Option {
  return new Option('--target <name>').hideHelp().argParser((name) => {
    throw new InvalidArgumentError(`It is called --env now: write --env ${name}.`)
  })
}

export function progressOption(): Option {
  return new Option('--progress <how>', 'bars on a terminal, or lines, or nothing')
    .choices(['auto', 'log', 'none'])
    .default('auto')
}

export function detachOption(): Option {
  return new Option('--detach', 'start the run of a deployed environment, and do not wait for its end')
}

/** For the page, which shows a run from its start on. */
export function runIdOption(): Option {
  return new Option('--run-id <id>', 'the name of the run').hideHelp()
}

/** For the page, which starts what an event or a schedule asks for. */
export function requestOption(): Option {
  return new Option('--request <json>', 'what events ask of a local run').hideHelp()
}

export function isolatedOption(): Option {
  return new Option(
    '--isolated',
    'run the functions as they are deployed: bundled, each in its own process, staging in S3',
  )
}

export function workflowOption(): Option {
  return new Option(
    '--workflow <name>',
    'the workflow of the pipeline, where several have it; the first one by default',
  )
}

/** What Ctrl-C does to a run. */
export const INTERRUPT_HELP = `
Ctrl-C ends a local run: what has not been loaded whole is rolled back. It leaves a run of a deployed environment at
work: dray runs watch <run> shows it again, dray runs stop <run> ends it.`

/** The version of the documents: grows when one would not fit what reads it by program. */
export const DOCUMENT_VERSION = 1

let isPrinted = false

/** Whether the one document that a verb prints is out; what fails after it is said on stderr alone. */
export const hasPrintedJson = (): boolean => isPrinted

/** Prints the one document of a verb. */
export function printJson<Name extends DocumentName>(_name: Name, document: DocumentOf<Name>): void {
  isPrinted = true
  printAsIs(`${visibleJson(JSON.stringify({ version: DOCUMENT_VERSION, ...document }, null, 2))}\n`)
}
