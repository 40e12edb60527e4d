import type { Command } from 'commander'
import type { ValidationError } from 'dray/internal/active-record/validations.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import type { Preview, PreviewedRow } from 'dray/internal/pipeline/inspect/preview.ts'
import { visible } from '#dray-infra/texts/invisible.ts'
import { faultText, oneLine } from './format.ts'
import { limitOption } from './limit-option.ts'
import { print } from './output.ts'
import { textTable } from './text-table.ts'
import { type CommonOptions, printJson, type Verbs, withCommonOptions } from './verb.ts'

interface PreviewOptions extends CommonOptions {
  readonly limit: number
  readonly keys?: string
  /** True without a name for the file. */
  readonly saveFixture?: string | true
  readonly mask: boolean
}

export function addPreview(program: Command, _verbs: Verbs): void {
  withCommonOptions(program.command('preview'))
    .description(
      'source rows beside what the transform makes of them; writes nothing, but a fixture where it is asked for',
    )
    .argument('<pipeline>', 'a pipeline, or a task that is SQL: the first rows of its SELECT')
    .option('--limit <n>', 'at most so many rows', limitOption, 20)
    .option('--keys <keys>', 'the rows of these keys')
    .option('--save-fixture [file]', 'keep these rows for a test, beside the pipeline: testPipeline(…).fixture(…)')
    .option('--no-mask', "keep the source's own values in the fixture")
    .action((pipeline: string, _options, command: Command) => show(pipeline, command.optsWithGlobals()))
}

async function show(name: string, options: PreviewOptions): Promise<void> {
  if (await showSqlTask(name, options)) return
  const { withPipeline } = await import('./environment.ts')
  const { fixtureFile, savedText, saveFixture } = await import('./save-fixture.ts')
  const fixture = options.saveFixture === undefined ? null : fixtureFile(name, options.saveFixture)
  const { preview } = await import('dray/internal/pipeline/inspect/preview.ts')
  const { askedModel } = await import('dray/internal/pipeline/plan/asked-model.ts')
  const { refuseUnfit } = await import('#dray-infra/doctor/refuse-broken.ts')
  const { keysOf } = await import('./keys-option.ts')
  const keys = options.keys === undefined ? null : keysOf(options.keys)
  const { limit } = options
  const { saved, ...result } = await withPipeline(options, name, async (pipeline, services) => {
    await refuseUnfit(name, [askedModel(pipeline.extract)])
    const known = await services.state.pipeline(name)
    const read = { lastRun: known?.lastRun ?? null, seen: known?.source ?? null }
    const found = await preview(pipeline, { limit, keys, ...read }, services)
    if (fixture === null) return { ...found, saved: null }
    return { ...found, saved: await saveFixture(pipeline, found.rows, { file: fixture, isMasked: options.mask }) }
  })
  if (options.json) printJson('preview', { pipeline: name, ...result, ...(saved === null ? {} : { fixture: saved }) })
  else print(text(name, result, saved === null ? 'Nothing was written.' : savedText(saved)))
}

/** False for a name that is not that of a task which is SQL. */
async function showSqlTask(name: string, options: PreviewOptions): Promise<boolean> {
  const { withSqlTask } = await import('./environment.ts')
  const { previewSqlTask } = await import('dray/internal/pipeline/sql-task/inspect-sql-task.ts')
  const found = await withSqlTask(options, name, (task, services) => {
    if (options.keys !== undefined || options.saveFixture !== undefined) {
      throw new ConfigurationError(
        `${name} is a task, of which the first rows of its SELECT are shown: leave out --keys and --save-fixture, which are for pipelines.`,
      )
    }
    return previewSqlTask(task, options.limit, services)
  })
  if (found === null) return false
  const { columns: names, rows } = found
  if (options.json) {
    const named = rows.map((row) => Object.fromEntries(names.map((column, place) => [column, row[place] ?? null])))
    printJson('preview', { task: name, rows: named })
    return true
  }
  const shown = names.map((title, place) => ({
    title,
    value: (row: (typeof rows)[number]) => valueText(row[place] ?? null),
  }))
  print(`${textTable(shown, rows)}\n${name}: ${rows.length} of its rows. Nothing was written.\n`)
  return true
}

function text(name: string, { rows, notes }: Preview, written: string): string {
  const shown = rows.map((row, number) =>
    [`row ${number + 1}: ${row.outcome}`, ...reasonsOf(row), `${textTable(columns, linesOf(row))}\n`].join('\n'),
  )
  const counts = ['loaded', 'filtered', 'deleted', 'quarantined'].map(
    (outcome) => `${rows.filter((row) => row.outcome === outcome).length} ${outcome}`,
  )
  const last = rows.length === 0 ? `${name}: the source has no such row.` : `${name}: ${counts.join(', ')}. ${written}`
  return `${[...shown, ...notes.map((note) => `note: ${oneLine(note)}`), last].join('\n')}\n`
}

type Line = readonly [source: string, before: string, target: string, after: string]

const columns = ['source', 'value', 'target', 'value'].map((title, place) => ({
  title,
  value: (line: Line) => line[place] as string,
}))

/** What is wrong with a row. */
function reasonsOf({ findings, errors }: PreviewedRow): string[] {
  const said = (what: string, list: readonly ValidationError[]) => list.map((one) => `  ${what}: ${faultText(one)}`)
  return [...said('reject', errors), ...said('finding', findings)]
}

/** Source columns beside target columns. */
function linesOf({ source, target }: PreviewedRow): Line[] {
  const [left, right] = [Object.entries(source), Object.entries(target ?? {})]
  return Array.from({ length: Math.max(left.length, right.length) }, (_, place): Line => {
    const [[name = '', value = undefined] = [], [other = '', made = undefined] = []] = [left[place], right[place]]
    return [name, valueText(value), other, valueText(made)]
  })
}

function valueText(value: string | null | undefined): string {
  if (value === undefined) return ''
  if (value === null) return 'NULL'
  const text = visible(value)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}
