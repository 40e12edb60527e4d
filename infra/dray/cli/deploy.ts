import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { delimiter, dirname } from 'node:path'
import type { Command } from 'commander'
import { EMULATED } from '#dray-infra/project/emulated-name.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { projectFolder } from '#dray-infra/project/project-folder.ts'
import { print, say } from './output.ts'
import type { Verbs } from './verb.ts'

interface DeployOptions {
  readonly requireApproval?: string
}

const OTHERS = 'options of the CDK CLI, after --'

export function addDeploy(program: Command, verbs: Verbs): void {
  program
    .command('deploy')
    .description('deploy an environment: cdk deploy of its stacks; emulated: on an emulator of AWS on this machine')
    .argument('<environment>')
    .argument('[options...]', OTHERS)
    .option('--require-approval <when>', 'never, broadening or any-change: which changes of permissions it asks about')
    .action(async (environment: string, given: readonly string[], { requireApproval }: DeployOptions) => {
      await refuseUndeployable(environment)
      if (environment === EMULATED) await startEmulated()
      // Nobody's permissions are at stake there.
      const when = requireApproval ?? (environment === EMULATED ? 'never' : undefined)
      const approval = when === undefined ? [] : ['--require-approval', when]
      verbs.exitCode = await cdk('deploy', environment, [...approval, ...given])
    })
}

export function addDiff(program: Command, verbs: Verbs): void {
  program
    .command('diff')
    .description('what dray deploy would change, cdk diff of its stacks, and what stands would cost a month')
    .argument('<environment>')
    .argument('[options...]', OTHERS)
    .action(async (environment: string, given: readonly string[]) => {
      await refuseUndeployable(environment)
      if (environment === EMULATED) await (await import('#dray-infra/emulator/emulated.ts')).joinEmulator()
      const startedAt = Date.now()
      verbs.exitCode = await cdk('diff', environment, given)
      const { standingCost } = await import('./standing-cost.ts')
      const cost = await standingCost({ given, startedAt, asksAws: !comparesTemplate(given) })
      if (cost !== null) print(`\n${cost}`)
      if (!comparesTemplate(given)) print(`\n${await schemaLines(environment)}`)
    })
}

export function addDestroy(program: Command, verbs: Verbs): void {
  program
    .command('destroy')
    .description('take an environment down: cdk destroy of its stacks; what keeps data stays')
    .argument('<environment>')
    .option('--yes', 'do not ask')
    .action(async (environment: string, { yes }: { readonly yes?: boolean }) => {
      verbs.exitCode = await destroy(environment, yes === true)
    })
}

async function schemaLines(environment: string): Promise<string> {
  const { deployedSchema } = await import('./deployed-schema.ts')
  return deployedSchema(environment)
}

/** What synth would refuse, before anybody has signed in. Throws `Configuration`. */
async function refuseUndeployable(name: string): Promise<void> {
  const { environmentNamed } = await import('#dray-infra/project/environments.ts')
  const { deployedWorkflows } = await import('#dray-infra/aws/deployed-workflows.ts')
  const { handlersOf } = await import('#dray-infra/aws/deployed-handlers.ts')
  const project = await loadProject()
  handlersOf(await deployedWorkflows(project), environmentNamed(name, project))
}

async function startEmulated(): Promise<void> {
  const { prepareEmulator } = await import('#dray-infra/emulator/emulated.ts')
  await prepareEmulator({ project: await loadProject(), note: say })
}

async function destroy(environment: string, isSure: boolean): Promise<number> {
  if (environment === EMULATED) return destroyEmulated()
  const { keptResources } = await import('#dray-infra/remote/kept-resources.ts')
  const kept = await keptResources(environment)
  const code = await cdk('destroy', environment, isSure ? ['--force'] : [])
  if (code !== 0 || kept.length === 0) return code
  say(
    `What keeps data is left: ${kept.map(({ type, id }) => `${type} ${id}`).join(', ')}. It is deleted by hand: see docs/deploy.md, Take it down.\n`,
  )
  return code
}

/** The emulated account goes with its process, whatever is at work there. */
async function destroyEmulated(): Promise<number> {
  const { stopEmulator } = await import('#dray-infra/emulator/emulated.ts')
  const was = await stopEmulator()
  say(
    was
      ? 'The emulator has ended, and all that was deployed to it is gone; the databases are as they were.\n'
      : 'The emulator is not up, so there is nothing to take down.\n',
  )
  return 0
}

/** A template at hand is compared with no call to AWS; it is that of the environment's first stack. */
function comparesTemplate(given: readonly string[]): boolean {
  return given.some((option) => option.startsWith('--template'))
}

/** Runs the pinned CDK CLI on the stacks of an environment, in this terminal; returns its exit code. */
async function cdk(command: string, name: string, given: readonly string[]): Promise<number> {
  const { environmentNamed } = await import('#dray-infra/project/environments.ts')
  const { checkSignedIn } = await import('#dray-infra/remote/signed-in.ts')
  const { stackNameOf } = await import('#dray-infra/aws/stack-outputs.ts')
  const project = await loadProject()
  const settings = environmentNamed(name, project)
  const ofTemplate = comparesTemplate(given)
  if (!ofTemplate) await checkSignedIn(settings)
  if (command === 'deploy') {
    const { waitForLeavingRuns } = await import('./leaving-runs.ts')
    await waitForLeavingRuns(name, project)
    // What is deployed looks at the tables, by the models that are going to be.
    say(`${await schemaLines(name)}\n`)
  }
  const first = stackNameOf(name)
  // The CLI takes the stacks along that depend on one that it destroys, and those that one depends on that it deploys.
  const stack = ofTemplate || command === 'destroy' ? first : `${first}-workflows`
  const args = [command, stack, '--context', `environment=${name}`, ...given]
  if (command === 'destroy') {
    const { waitForAllRuns } = await import('./leaving-runs.ts')
    await waitForAllRuns(name)
  }
  const child = spawn(process.execPath, [createRequire(import.meta.url).resolve('aws-cdk/bin/cdk'), ...args], {
    cwd: projectFolder,
    stdio: 'inherit',
    // The app of cdk.json is run by this Node, whatever the machine has.
    env: { ...process.env, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) },
  })
  // Ctrl-C reaches the child, too, which ends in an orderly way.
  const ignore = () => {}
  process.on('SIGINT', ignore)
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  process.off('SIGINT', ignore)
  return code ?? (signal === 'SIGINT' ? 130 : 1)
}
