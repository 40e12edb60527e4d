import type { Command } from 'commander'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { requireLocal } from './environment.ts'
import { printAsIs, say } from './output.ts'
import { type CommonOptions, printJson, type Verbs, withCommonOptions } from './verb.ts'

export function addServices(program: Command, _verbs: Verbs): void {
  withCommonOptions(program.command('services'))
    .description('start the local services and keep them until Ctrl-C; other commands use them meanwhile')
    .action((_options, command: Command) => keepServices(command.optsWithGlobals()))
}

async function keepServices(options: CommonOptions): Promise<void> {
  requireLocal(options, '`dray services`')
  const interrupted = new Promise<void>((resolve) => {
    process.once('SIGINT', resolve)
    process.once('SIGTERM', resolve)
  })
  const { drayHome } = await import('#dray-infra/local/home.ts')
  const { startServices } = await import('#dray-infra/local/services.ts')
  const services = await startServices({ home: drayHome(), project: await loadProject() })
  const places = Object.entries(services.environment).filter(([name]) => /_URL$|^STATE_/.test(name))
  if (options.json) printJson('services', { variables: Object.fromEntries(places) })
  else printAsIs(places.map(([name, value]) => `${name}=${value}\n`).join(''))
  say('The services are up. Ctrl-C stops them.\n')
  await interrupted
  await services.stop()
}
