import { type Command, Option } from 'commander'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { GivenFormat, LineEnds } from '#dray-infra/local/csv/format.ts'
import type { CsvImported, ImportMode } from '#dray-infra/local/csv/import.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { requireLocal } from './environment.ts'
import { plural } from './format.ts'
import { print, say } from './output.ts'
import {
  type CommonOptions,
  type ProgressMode,
  printJson,
  progressOption,
  type Verbs,
  withCommonOptions,
} from './verb.ts'

interface ImportOptions extends CommonOptions, FormatOptions {
  readonly into: string
  readonly mode: ImportMode
  readonly by?: string
  readonly again?: boolean
  readonly allowEmpty?: boolean
  readonly columns?: string
  readonly header?: boolean
  readonly skipLines?: number
  readonly progress: ProgressMode
}

interface FormatOptions {
  readonly delimiter?: string
  readonly quote?: string
  readonly escape?: 'quote' | 'backslash'
  readonly encoding?: string
  readonly lineEnds?: Exclude<LineEnds, 'any'>
  readonly null?: readonly string[]
  readonly quotedNull?: boolean
}

const HELP = `
The first line names the columns. All rows come into the table, or none: a value that the model or the table would not
hold as it is refuses the file, with its line. A table that is not there is made once all rows have landed.
How the file is written is found out and shown; what can be read in two ways is asked for. docs/import.md says more.

  dray import csv orders.csv --into warehouse.orders
  dray import csv s3://bucket/orders.csv --into warehouse.orders --mode upsert
  dray import csv old.csv --into warehouse.orders --delimiter semicolon --encoding windows-1252 --null '\\N'`

export function addImport(program: Command, _verbs: Verbs): void {
  const verb = program.command('import').description('load a file into a database')
  const csv = withCommonOptions(verb.command('csv'))
    .description('load a CSV file into a table, all rows or none')
    .argument('<file>', 'its path, or s3://bucket/key')
    .requiredOption('--into <database.table>', 'made from its model, or with text columns, when it is missing')
    .addOption(
      new Option('--mode <mode>', 'add rows; write over those of the same key; or take the place of all rows')
        .choices(['append', 'upsert', 'replace'])
        .default('append'),
    )
    .option('--by <columns>', 'columns by which an upsert finds rows, between commas; the primary key by default')
    .option('--again', 'append a file that has been imported before once more')
    .option('--allow-empty', 'let a file without rows replace all that the table has')
  csv
    .option('--columns <names>', 'the columns, between commas, of a file whose first line is a row')
    .option('--header', 'the first line names the columns, whatever it looks like')
    .option('--skip-lines <lines>', 'how many lines stand above the header, or above the first row', linesOf)
  formatOptions(csv)
    .addOption(progressOption())
    .addHelpText('after', HELP)
    .action((file: string, _options, command: Command) => importFile(file, command.optsWithGlobals()))
}

function formatOptions(command: Command): Command {
  return command
    .option('--delimiter <character>', 'comma, semicolon, tab, pipe, space, a character, or its code as U+0001')
    .option('--quote <character>', 'what stands around a field, or none')
    .addOption(
      new Option(
        '--escape <how>',
        'what stands before a quote within quotes; backslash escapes others as well',
      ).choices(['quote', 'backslash']),
    )
    .option('--encoding <name>', 'utf-8, utf-16le, windows-1252, shift_jis and others')
    .addOption(new Option('--line-ends <end>', 'the only one that ends a line').choices(['lf', 'crlf', 'cr']))
    .option(
      '--null <text>',
      'an unquoted field that is NULL, for each of them; without it an empty field, or \\N',
      (text: string, others: readonly string[] = []) => [...others, text],
    )
    .option('--quoted-null', 'such a field is NULL in quotes, too')
}

async function importFile(file: string, options: ImportOptions): Promise<void> {
  requireLocal(options, '`dray import`')
  const { name, table } = await target(options.into)
  const given = await formatOf(options)
  const { drayHome } = await import('#dray-infra/local/home.ts')
  const { startServices } = await import('#dray-infra/local/services.ts')
  const { databaseNamed } = await import('#dray-infra/local/databases.ts')
  const { importCsv } = await import('#dray-infra/local/csv/import.ts')
  const { closeDatabases } = await import('dray/internal/active-record/database.ts')
  const { listenForInterrupts } = await import('./interrupts.ts')
  const { importDocument, importText, refusedDocument } = await import('./import-report.ts')
  const project = await loadProject()
  const database = await databaseNamed(name, project)
  const services = await startServices({ home: drayHome(), project, databases: [name], state: false })
  const interrupts = listenForInterrupts()
  const what = { file, database: name, table, mode: options.mode }
  try {
    const start = performance.now()
    const result: CsvImported = await importCsv({
      ...what,
      database,
      given,
      signal: interrupts.signal,
      onRows: reporter(options.progress),
      again: options.again === true,
      allowEmpty: options.allowEmpty === true,
      ...(options.by === undefined ? {} : { by: namesOf(options.by) }),
      ...(options.columns === undefined ? {} : { header: namesOf(options.columns) }),
      ...(options.skipLines === undefined ? {} : { skipLines: options.skipLines }),
      hasHeader: options.header === true,
    })
    const seconds = (performance.now() - start) / 1000
    if (options.json) printJson('import csv', importDocument(what, result, seconds))
    else print(importText(what, result, seconds))
  } catch (error) {
    const refused = options.json ? refusedDocument(what, error) : null
    if (refused !== null) printJson('import csv', refused)
    throw error
  } finally {
    interrupts.stop()
    await closeDatabases()
    await services.stop()
  }
}

function namesOf(names: string): string[] {
  return names.split(',').map((name) => name.trim())
}

function linesOf(lines: string): number {
  if (/^\d{1,4}$/.test(lines)) return Number(lines)
  throw new ConfigurationError(`--skip-lines ${lines} is no number of lines, so nothing is imported; write one, as 1.`)
}

async function target(into: string): Promise<{ name: string; table: string }> {
  const [, name, table] = /^([a-z][a-z0-9-]*)\.(.+)$/s.exec(into) ?? []
  if (name === undefined || table === undefined) {
    const names = Object.keys((await loadProject()).databases)
    throw new ConfigurationError(
      `--into ${into} names no table, so nothing is imported; write --into <database>.<table>, with the database ${names.join(' or ')}.`,
    )
  }
  const { tableNameOf, tableText } = await import('dray/internal/database/table-name.ts')
  return { name, table: tableText(tableNameOf(table)) }
}

async function formatOf(options: FormatOptions): Promise<GivenFormat> {
  const { characterOf, BACKSLASH } = await import('#dray-infra/local/csv/format.ts')
  const { delimiter, quote, escape: before, encoding, lineEnds, null: nulls, quotedNull } = options
  const character = quote === undefined || quote === 'none' ? null : characterOf('--quote', quote)
  return {
    ...(delimiter === undefined ? {} : { delimiter: characterOf('--delimiter', delimiter) }),
    ...(quote === undefined ? {} : { quote: character }),
    ...(before === undefined ? {} : { escape: before === 'backslash' ? BACKSLASH : (character ?? '"') }),
    ...(encoding === undefined ? {} : { encoding }),
    ...(lineEnds === undefined ? {} : { lineEnds }),
    ...(nulls === undefined ? {} : { nulls }),
    ...(quotedNull === undefined ? {} : { quotedNulls: quotedNull }),
  }
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
