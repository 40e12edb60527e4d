import type { Command } from 'commander'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { canAsk, confirmed } from './confirmed.ts'
import { requireLocal } from './environment.ts'
import { print, printAsIs } from './output.ts'
import { type CommonOptions, printJson, type Verbs, withCommonOptions } from './verb.ts'

interface AddOptions extends CommonOptions {
  readonly to?: string
  readonly name?: string
  readonly workflow?: string
  readonly cursor?: string
  readonly key?: string
  readonly mask: boolean
  readonly replicate?: boolean
  readonly yes?: boolean
}

const HELP = `
Reads the live table and writes its models, the pipeline, its handlers, a test with rows of the source (masked), and its
step in the workflow; makes the target's table where it is missing. Shows all of it before, and asks. Without a table it
lists what the databases have.

  dray add
  dray add sales.invoice
  dray add 'sales.*' --to warehouse --yes
  dray add 'sales.*' --replicate --to warehouse    all tables as they are, from one declaration`

export function addAdd(program: Command, _verbs: Verbs): void {
  withCommonOptions(program.command('add'))
    .description('write the pipelines of tables that a database has')
    .argument('[tables...]', '<database>.<table>, or a pattern in quotes')
    .option('--to <database.table>', 'where the rows go: a table, or a database, which is warehouse in most projects')
    .option('--name <pipeline>', "the pipeline's name, in kebab-case; that of the table by default")
    .option('--workflow <name>', 'the workflow that gets the step; the main one by default')
    .option('--cursor <column>', 'the time stamp that each change of a row moves on')
    .option('--key <columns>', 'what tells the rows of a view apart, with commas: id,line')
    .option('--replicate', 'one declaration for all of them, whose tables are copied as they are (docs/replicas.md)')
    .option('--no-mask', "keep the source's own values in the test")
    .option('--yes', 'write without asking')
    .addHelpText('after', HELP)
    .action((tables: string[], _options, command: Command) => add(tables, command.optsWithGlobals()))
}

async function add(tables: readonly string[], options: AddOptions): Promise<void> {
  requireLocal(options, '`dray add`')
  const { drayHome } = await import('#dray-infra/local/home.ts')
  const { startServices } = await import('#dray-infra/local/services.ts')
  const { closeDatabases } = await import('dray/internal/active-record/database.ts')
  const project = await loadProject()
  const services = await startServices({ home: drayHome(), project, state: false })
  try {
    if (tables.length === 0) await list(options)
    else await addTables(tables, options)
  } finally {
    await closeDatabases()
    await services.stop()
  }
}

async function list({ json }: AddOptions): Promise<void> {
  const { listedDatabases } = await import('#dray-infra/add/listed-databases.ts')
  const { listDocument, listText } = await import('./add-report.ts')
  const databases = await listedDatabases(await loadProject())
  if (json) printJson('add', { databases: databases.map(listDocument) })
  else print(listText(databases))
}

async function addTables(tables: readonly string[], options: AddOptions): Promise<void> {
  const { planAdd } = await import('#dray-infra/add/plan-add.ts')
  const { carryOut } = await import('#dray-infra/add/add.ts')
  const { planText, doneText, addDocument } = await import('./add-report.ts')
  const project = await loadProject()
  const { to = null, name = null, workflow = null, cursor = null, key, mask, json, yes } = options
  const columns = key === undefined ? null : key.split(',').map((column) => column.trim())
  if (options.replicate) {
    const { addReplica } = await import('./add-replica.ts')
    return addReplica({ tables, to, name, workflow, cursor, key: columns }, { json, yes })
  }
  const plan = await planAdd(project, { tables, to, name, workflow, cursor, key: columns, isMasked: mask })
  try {
    const files = plan.changes.list
    if (!json) printAsIs(planText(plan))
    const isWanted = files.length > 0 && (yes === true || (!json && canAsk() && (await confirmed('Write this?'))))
    const made = isWanted ? (await carryOut(plan, project.folder)).made : null
    if (json) printJson('add', addDocument(plan, files, made))
    else print(doneText(plan, files, made))
  } finally {
    await plan.close()
  }
}
