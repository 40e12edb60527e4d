import type { Command } from 'commander'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { requireLocal } from './environment.ts'
import { duration, plural } from './format.ts'
import { print, say } from './output.ts'
import {
  type CommonOptions,
  type ProgressMode,
  printJson,
  progressOption,
  type Verbs,
  withCommonOptions,
} from './verb.ts'

interface ImportOptions extends CommonOptions {
  readonly into: string
  readonly progress: ProgressMode
}

export function addImport(program: Command, _verbs: Verbs): void {
  const verb = program.command('import').description('load a file into a database')
  withCommonOptions(verb.command('csv'))
    .description('load a CSV file (UTF-8, first line names the columns) into a table, all rows or none')
    .argument('<file>', 'an empty field is NULL, a quoted empty field the empty string')
    .requiredOption('--into <database.table>', 'made from its model, or with text columns, when it is missing')
    .addOption(progressOption())
    .action((file: string, _options, command: Command) => importFile(file, command.optsWithGlobals()))
}

async function importFile(file: string, options: ImportOptions): Promise<void> {
  requireLocal(options, '`dray import`')
  const { name, table } = await target(options.into)
  const { drayHome } = await import('#dray-infra/local/home.ts')
  const { startServices } = await import('#dray-infra/local/services.ts')
  const { databaseNamed } = await import('#dray-infra/local/databases.ts')
  const { importCsv } = await import('#dray-infra/local/csv-import.ts')
  const { closeDatabases } = await import('dray/internal/active-record/database.ts')
  const project = await loadProject()
  const database = await databaseNamed(name, project)
  const services = await startServices({ home: drayHome(), project, databases: [name], state: false })
  try {
    const start = performance.now()
    const result = await importCsv({ file, database, table, onRows: reporter(options.progress) })
    const seconds = (performance.now() - start) / 1000
    if (options.json) printJson({ database: name, table, rows: result.rows, seconds, created: result.created })
    else print(`${sentence(name, table, result, seconds)}\n`)
  } finally {
    await closeDatabases()
    await services.stop()
  }
}

async function target(into: string): Promise<{ name: string; table: string }> {
  const [, name, table] = /^([a-z][a-z0-9-]*)\.(.+)$/s.exec(into) ?? []
  if (name === undefined || table === undefined) {
    const names = Object.keys((await loadProject()).databases)
    throw new ConfigurationError(
      `--into ${into} names no table, so nothing is imported; write --into <database>.<table>, with the database ${names.join(' or ')}.`,
    )
  }
  return { name, table }
}

function sentence(
  name: string,
  table: string,
  result: { rows: number; created: 'model' | 'text' | null },
  seconds: number,
): string {
  const made = { model: ' The table was made from its model.', text: ' The table was made, with text columns.' }
  return `Imported ${plural(result.rows, 'row')} into ${name}.${table} in ${duration(seconds)}.${result.created ? made[result.created] : ''}`
}

/** A line each 100,000 rows. */
function reporter(progress: ProgressMode): (rows: number) => void {
  let next = 100_000
  return (rows) => {
    if (progress === 'none' || rows < next) return
    next = rows + 100_000
    say(`${plural(rows, 'row')} so far\n`)
  }
}
