import { Command, CommanderError } from 'commander'
import { ignoreExperimentalWarnings } from '#dray-infra/local/experimental-warnings.ts'
import { EMULATED } from '#dray-infra/project/emulated-name.ts'
import { readEnvFile } from '#dray-infra/project/env-file.ts'
import { knownNames } from '#dray-infra/project/known-names.ts'
import { drayVersion } from '#dray-infra/project/project-folder.ts'
import { addAdd } from './add.ts'
import { addBackfill } from './backfill.ts'
import { addCheck } from './check.ts'
import { addDeploy, addDestroy, addDiff } from './deploy.ts'
import { addDev } from './dev.ts'
import { addDocs } from './docs.ts'
import { addDoctor } from './doctor.ts'
import { errorCode, errorDocument, reportError } from './error-report.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import { addImport } from './import.ts'
import { surviveLostReaders } from './lost-readers.ts'
import { addNew } from './new.ts'
import { say } from './output.ts'
import { addPlan } from './plan.ts'
import { refusedPlatform } from './platform.ts'
import { addPreview } from './preview.ts'
import { addProve } from './prove.ts'
import { addQuarantine } from './quarantine.ts'
import { addReconcile } from './reconcile.ts'
import { addResume } from './resume.ts'
import { addRun } from './run.ts'
import { addRuns } from './runs.ts'
import { addSchema } from './schema.ts'
import { addServices } from './services.ts'
import { addState } from './state.ts'
import { addUpgrade } from './upgrade.ts'
import { hasPrintedJson, printJson, type Verbs } from './verb.ts'

/** Runs the command with these arguments; returns the exit code. Errors become one line on stderr. */
export async function main(args: readonly string[]): Promise<number> {
  ignoreExperimentalWarnings()
  surviveLostReaders()
  const refusal = refusedPlatform(process.platform)
  if (refusal !== null) {
    say(`dray: ${refusal}\n`)
    return exitCodes.usage
  }
  const verbs: Verbs = { exitCode: exitCodes.ok, envFile: null }
  const program = createProgram(verbs, args)
  try {
    verbs.envFile = readEnvFile()
    await program.parseAsync([...args], { from: 'user' })
    return verbs.exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    const line = reportError(error, program.opts().debug === true)
    say(`${line}\n`)
    if (isAskedForJson(args) && !hasPrintedJson())
      printJson('error', errorDocument(errorCode(error), line, verbIn(program, args)[0] ?? null))
    return exitCodeOf(error)
  }
}

/** The command with all of its verbs; nothing is parsed yet. */
export function createProgram(verbs: Verbs, args: readonly string[] = []): Command {
  const program = new Command('dray')
    .version(drayVersion(), '--version', 'print the version')
    .description('Carries rows from operational databases to a warehouse.')
    .option('--debug', 'print stack traces and the logs of the handlers')
    .enablePositionalOptions(false)
    .addHelpText('after', HELP)
    .exitOverride()
    .configureOutput({
      outputError(text, write) {
        const verb = verbIn(program, args)
        const verbs = program.commands.find((command) => command.name() === verb[0])?.commands ?? []
        const line = usageError(
          text,
          verb,
          verbs.map((command) => command.name()),
        )
        write(line)
        if (isAskedForJson(args)) printJson('error', errorDocument('usage', line, verb[0] ?? null))
      },
    })
    .hook('preAction', (_program, verb) => joinEmulated(verb))
  for (const add of [
    addAdd,
    addRun,
    addResume,
    addBackfill,
    addCheck,
    addDev,
    addDocs,
    addDoctor,
    addPlan,
    addPreview,
    addQuarantine,
    addReconcile,
    addRuns,
    addState,
    addImport,
    addSchema,
    addServices,
    addDeploy,
    addDiff,
    addDestroy,
    addProve,
    addNew,
    addUpgrade,
  ])
    add(program, verbs)
  return program
}

/** What works in the emulated environment finds the emulator in its variables, whatever stood there before. */
async function joinEmulated(verb: Command): Promise<void> {
  if (verb.optsWithGlobals().env !== EMULATED) return
  const { joinEmulator } = await import('#dray-infra/emulator/emulated.ts')
  await joinEmulator()
}

const HELP = `
Exit codes: 0 ok, 1 a step failed, 2 usage or configuration, 3 a lease is held by another run, 130 interrupted.

A database of infra/project.ts is bound by <NAME>_DATABASE_URL (postgres://, mysql://, sqlite:), in the environment or in a
file .env in the project's folder; one that is not set is embedded, under .dray/ (or DRAY_HOME): npx dray doctor lists them.
--env <environment> works on one that is deployed (infra/environments.ts), with your credentials of AWS;
--env emulated on the emulator of AWS on this machine, which dray deploy emulated starts.`

/** The verb that the arguments name, and the one below it: `['runs', 'show']`. */
function verbIn(program: Command, args: readonly string[]): string[] {
  const names: string[] = []
  let { commands } = program
  for (const argument of args) {
    const found = commands.find((command) => command.name() === argument)
    if (found === undefined) continue
    names.push(argument)
    commands = found.commands
  }
  return names
}

/** Known before the arguments are parsed, which may be what fails. */
function isAskedForJson(args: readonly string[]): boolean {
  return args.includes('--json')
}

/** Commander's message as one line, with where to look; `below` are the verbs below the one that was named. */
function usageError(text: string, verb: readonly string[], below: readonly string[]): string {
  // A misspelt verb is an argument too many of the one that is run without any.
  const misspelt =
    below.length > 0 && verb.length === 1 ? /^error: too many.* got \d+: ([^\s,.]+)/.exec(text)?.[1] : undefined
  const message =
    misspelt === undefined
      ? text
          .trim()
          .replace(/^error: /, '')
          .replace(/\n\((.*)\)$/s, '. $1')
      : `unknown command '${verb[0]} ${misspelt}'; ${knownNames(misspelt, below)}`
  return `dray: ${message}${/[.?]$/.test(message) ? '' : '.'} See ${['npx dray', ...verb, '--help'].join(' ')}.\n`
}
