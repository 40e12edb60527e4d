import type { Command } from 'commander'
import type { Verbs } from './verb.ts'

export function addNew(program: Command, _verbs: Verbs): void {
  program
    .command('new')
    .description('write a file into this project')
    .command('ci')
    .description('a workflow of GitHub Actions that checks and compares pull requests, and deploys what is on main')
    .option('--force', 'write over a file that is there and differs')
    .option('--json', 'print one JSON document on stdout')
    .action(async (_options, command: Command) => {
      const { newCi } = await import('./new-ci.ts')
      await newCi(command.optsWithGlobals())
    })
}
