import type { Command } from 'commander'
import type { Checked, Verdict } from 'dray/internal/database/health.ts'
import { type Diagnosis, isHealthy, type Section } from '#dray-infra/doctor/diagnosis.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { duration, oneLine, plural } from './format.ts'
import { print } from './output.ts'
import { type CommonOptions, printJson, type Verbs, withCommonOptions } from './verb.ts'

const marks: Readonly<Record<Verdict, string>> = { ok: '✓', warning: '!', broken: '✗', unknown: '?' }

const HELP = `
Looks at Node, disk, project, databases, tables, rights and last_run, and changes nothing. ✓ is fine, ! costs something,
✗ would make a run fail (exit code 2), ? could not be found out.`

export function addDoctor(program: Command, verbs: Verbs): void {
  withCommonOptions(program.command('doctor'))
    .description('what would keep a run from working, and what to do about it; changes nothing')
    .addHelpText('after', HELP)
    .action(async (_options, command: Command) => {
      const options: CommonOptions = command.optsWithGlobals()
      const diagnosis = await examine(options, verbs)
      if (options.json) printJson('doctor', { ...diagnosis, healthy: isHealthy(diagnosis) })
      else print(text(diagnosis))
      verbs.exitCode = exitCodeOfDiagnosis(diagnosis)
    })
}

/** What the command says to the shell: warnings are fine. */
export function exitCodeOfDiagnosis(diagnosis: Diagnosis): ExitCode {
  return isHealthy(diagnosis) ? exitCodes.ok : exitCodes.usage
}

async function examine({ env }: CommonOptions, { envFile }: Verbs): Promise<Diagnosis> {
  const { drayHome } = await import('#dray-infra/local/home.ts')
  const { listenForInterrupts } = await import('./interrupts.ts')
  const interrupts = listenForInterrupts()
  const { localStores } = await import('./environment.ts')
  const options = { home: drayHome(), envFile, openStores: localStores, signal: interrupts.signal }
  try {
    if (env !== 'local') {
      const { examineEnvironment } = await import('#dray-infra/doctor/environment.ts')
      return await examineEnvironment(env, options)
    }
    const { examineHere } = await import('#dray-infra/doctor/doctor.ts')
    return await examineHere(options)
  } finally {
    interrupts.stop()
  }
}

function text({ sections, seconds }: Diagnosis): string {
  const checks = sections.flatMap((section) => section.checks)
  const count = (verdict: Verdict) => checks.filter((one) => one.verdict === verdict).length
  const [broken, warnings, unknown] = [count('broken'), count('warning'), count('unknown')]
  const others = [
    ...(warnings === 0 ? [] : [plural(warnings, 'warning')]),
    ...(unknown === 0 ? [] : [`${unknown} not found out`]),
  ]
  const end = broken === 0 ? 'Nothing is broken' : `${broken} broken: a run would fail`
  return `${sections.map(sectionText).join('\n')}\n${[end, ...others].join(', ')} (${duration(seconds)}).\n`
}

function sectionText({ subject, checks }: Section): string {
  return `${subject}\n${checks.map(line).join('')}`
}

function line({ check, verdict, said }: Checked): string {
  return `  ${marks[verdict]} ${check}: ${oneLine(said)}\n`
}
