import type { Command } from 'commander'
import { EMULATED } from '#dray-infra/project/emulated-name.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import type { ProveReport, StepReport } from '#dray-infra/prove/prove.ts'
import { exitCodes } from './exit-codes.ts'
import { oneLine } from './format.ts'
import { listenForInterrupts } from './interrupts.ts'
import { print, say } from './output.ts'
import { printJson, type Verbs } from './verb.ts'

const HELP = `
Two servers are needed, where schemas may be made, and which this machine and functions in the environment's account and
network reach: PROVE_SOURCE_DATABASE_URL and PROVE_TARGET_DATABASE_URL (postgres:// or mysql://; they may be one). For
emulated they may be left out. Schemas, secrets and stacks are named prove-<random>, and go at the end.`

interface ProveOptions {
  readonly clean?: string
  readonly json?: boolean
}

export function addProve(program: Command, verbs: Verbs): void {
  program
    .command('prove')
    .description(
      'deploy a small project beside an environment, run, fail, resume, redeploy and replay it, take it down',
    )
    .argument('<environment>', 'whose account, region, network and way to databases are used; emulated: no account')
    .option('--clean <name>', 'take down what a proof that was killed has left')
    .option('--json', 'print one JSON document on stdout')
    .addHelpText('after', HELP)
    .action(async (environment: string, options: ProveOptions) => {
      verbs.exitCode = await proveIn(environment, options)
    })
}

async function proveIn(environment: string, { clean, json }: ProveOptions): Promise<number> {
  const { cleanProof, prove } = await import('#dray-infra/prove/prove.ts')
  const interrupts = listenForInterrupts()
  const write = json ? say : print
  const options = {
    environment,
    project: await loadProject(),
    signal: interrupts.signal,
    told: (step: StepReport) => write(lineOf(step)),
    note: say,
  }
  try {
    const report = await (clean === undefined ? prove(options) : cleanProof(options, clean))
    if (json) printJson('prove', documentOf(report))
    else print(endOf(report, environment))
    if (interrupts.signal.aborted) return exitCodes.interrupted
    return report.log === null ? exitCodes.ok : exitCodes.failed
  } finally {
    interrupts.stop()
  }
}

function lineOf({ name, isShown, said, seconds }: StepReport): string {
  return `${isShown ? '✓' : '✗'} ${name} (${seconds.toFixed(0)} s): ${oneLine(said)}\n`
}

function endOf({ name, steps, cost, log }: ProveReport, environment: string): string {
  const verb = environment === EMULATED ? 'would have cost on AWS' : 'have cost'
  const runs = cost === null ? '' : ` Its runs ${verb} ${cost.toFixed(4)} US dollars.`
  const isCleaned = steps.length === 1
  if (log === null && isCleaned) return `\n${name}: nothing is left of it.\n`
  if (log === null) return `\n${name}: all was shown, and nothing is left of it.${runs}\n`
  const isDown = steps.at(-1)?.isShown === true
  const rest = isDown ? ' Nothing else is left.' : ` Take down the rest: npx dray prove ${environment} --clean ${name}`
  return `\n${name}: not all was ${isCleaned ? 'taken down' : 'shown'}; what each command has printed is in ${log}.${runs}${rest}\n`
}

function documentOf({ name, steps, cost, log }: ProveReport) {
  return {
    name,
    steps: steps.map(({ name: step, isShown, said, seconds }) => ({ name: step, shown: isShown, said, seconds })),
    us_dollars: cost,
    log,
  }
}
