import { type Command, Option } from 'commander'
import { ConfigurationError } from '#shared/active-record/errors.ts'
import type { ExitCode } from './exit-codes.ts'

/** What the verbs of one command line share. */
export interface Verbs {
  exitCode: ExitCode
}

export interface CommonOptions {
  readonly target: string
  readonly json: boolean
  readonly debug: boolean
}

export type ProgressMode = 'auto' | 'log' | 'none'

/** Adds the options that every verb takes. */
export function withCommonOptions(command: Command): Command {
  return command
    .option('--target <name>', 'where: local, or the name of a deployed environment', 'local')
    .option('--json', 'print one JSON document on stdout')
}

export function progressOption(): Option {
  return new Option('--progress <how>', 'bars on a terminal, or lines, or nothing')
    .choices(['auto', 'log', 'none'])
    .default('auto')
}

/** Throws `Configuration` for a target that there is not. */
export function requireLocal({ target }: CommonOptions): void {
  if (target === 'local') return
  throw new ConfigurationError(
    `The target ${target} is unknown: no remote target is configured yet, so nothing was done; leave --target out to work on local.`,
  )
}

export function printJson(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`)
}
