import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Verbs } from './verb.ts'

export function addNew(program: Command, _verbs: Verbs): void {
  const verb = program.command('new').description('write files into this project, or a project')
  newWorkflow(verb)
  newTask(verb)
  newProject(verb)
  verb
    .command('ci')
    .description('a workflow of GitHub Actions that checks and compares pull requests, and deploys what is on main')
    .option('--force', 'write over a file that is there and differs')
    .option('--json', 'print one JSON document on stdout')
    .action(async (_options, command: Command) => {
      const { newCi } = await import('./new-ci.ts')
      await newCi(command.optsWithGlobals())
    })
}

function newWorkflow(verb: Command): void {
  verb
    .command('workflow')
    .description('a workflow of pipelines and tasks that are there; `dray add` writes pipelines')
    .argument('<name>', 'in kebab-case')
    .argument('[steps...]', 'pipelines and tasks')
    .option('--cron <expression>', "when it runs, as '0 2 * * *'")
    .option('--timezone <zone>', 'the zone of --cron', 'UTC')
    .option('--json', 'print one JSON document on stdout')
    .action(async (name: string, steps: string[], _options, command: Command) => {
      const { planWorkflow } = await import('#dray-infra/add/new-workflow.ts')
      const { writePlanned } = await import('./new-files.ts')
      const options = command.optsWithGlobals()
      const { cron = null, timezone } = options
      await writePlanned((project) => planWorkflow(project, { name, steps, cron, timezone }), {
        json: options.json,
        next: `npx dray run ${name}`,
      })
    })
}

function newTask(verb: Command): void {
  verb
    .command('task')
    .description('a step that is one function, as the refresh of a data mart')
    .argument('<name>', 'in kebab-case')
    .option('--database <name>', 'the database that it works in; the one that is written by default')
    .option('--sql', 'its work is one SELECT, whose rows go into a table of that database')
    .option('--workflow <name>', 'the workflow that gets the step; the main one by default')
    .option('--after <steps>', 'steps that have to succeed first, between commas')
    .option('--json', 'print one JSON document on stdout')
    .action(async (name: string, _options, command: Command) => {
      const { planTask } = await import('#dray-infra/add/new-task.ts')
      const { targetOf } = await import('#dray-infra/add/target-of.ts')
      const { writePlanned } = await import('./new-files.ts')
      const options = command.optsWithGlobals()
      const { workflow = null, database: given = null } = options
      const after = (options.after ?? '').split(',').filter(Boolean)
      await writePlanned(
        async (project) => {
          const { database } = await targetOf(given, project)
          return planTask(project, { name, database, workflow, after, isSql: options.sql === true })
        },
        {
          json: options.json,
          next: `write its ${options.sql === true ? 'SELECT' : 'work'} into functions/${name}/task.ts`,
        },
      )
    })
}

function newProject(verb: Command): void {
  verb
    .command('project')
    .description('a project without the example, with the framework of this one')
    .argument('<folder>', 'one that is not there yet')
    .option('--json', 'print one JSON document on stdout')
    .action(async (folder: string, _options, command: Command) => {
      const { newProject: write } = await import('#dray-infra/add/new-project.ts')
      const { packageFolder } = await import('#dray-infra/project/project-folder.ts')
      const { print } = await import('./output.ts')
      const { printJson } = await import('./verb.ts')
      const written = await write(folder, resolve(packageFolder, '../..'))
      if (command.optsWithGlobals().json) printJson('new project', { folder: written })
      else print(`${written} is a project.\nNext: cd ${folder} && npm ci && npx dray run\n`)
    })
}
