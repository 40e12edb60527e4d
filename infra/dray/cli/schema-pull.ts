import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { ModelTable } from 'dray/internal/active-record/model-table.ts'
import type { NewColumn, PulledField } from '#dray-infra/add/pulled-fields.ts'
import type { ChangedField } from '#dray-infra/add/pulled-model.ts'
import { type LoadedProject, loadProject } from '#dray-infra/project/load-project.ts'
import { requireLocal } from './environment.ts'
import { oneLine, plural } from './format.ts'
import { print } from './output.ts'
import { pipelineNames } from './pipelines.ts'
import { nameOf, withModels } from './schema-models.ts'
import { type CommonOptions, printJson } from './verb.ts'

/** What became of one model. */
interface Pulled {
  readonly table: string
  /** Null where no file could be mended. */
  readonly file: string | null
  readonly changes: readonly ChangedField[]
  /** What a person has to do. */
  readonly byHand: readonly string[]
  readonly news: readonly NewColumn[]
  /** `customers, which writes lake.customer_dim` */
  readonly pipelines: readonly string[]
}

/** Mends the models of sources in their files, and says what else has to follow. */
export async function pull(tables: readonly string[], options: CommonOptions): Promise<void> {
  requireLocal(options, '`dray schema pull`')
  const project = await loadProject()
  await withModels('reads', tables, options, async (models) => {
    const pulled: Pulled[] = []
    for (const [model] of models) pulled.push(await pullOne(model, project))
    const isMended = pulled.some(({ changes }) => changes.length > 0)
    const typeErrors = isMended ? typeErrorsOf(project.folder) : []
    if (options.json) printJson('schema pull', { models: pulled.map(document), type_errors: typeErrors })
    else print(report(pulled, typeErrors))
  })
}

function document({ byHand, news, ...pulled }: Pulled) {
  return { ...pulled, by_hand: byHand, new_columns: news }
}

async function pullOne(model: ModelTable, project: LoadedProject): Promise<Pulled> {
  const { pulledFields } = await import('#dray-infra/add/pulled-fields.ts')
  const { definition, database } = model
  const table = nameOf(model)
  const nothing = { table, file: null, changes: [], byHand: [], news: [], pipelines: [] }
  const [live, liveTypes] = await database.withConnection(
    async (connection, adapter) => [await connection.describe(definition.table), adapter.schema.liveTypes] as const,
  )
  if (live === null) return { ...nothing, byHand: ['there is no such table; correct its name in the model'] }
  const { fields, news } = pulledFields(model, live, liveTypes)
  if (fields.length === 0) return { ...nothing, news }
  const mended = await mendedFile(project, definition.table, fields)
  const pipelines = await pipelinesOf(model, project)
  if (mended !== null) return { ...nothing, ...mended, news, pipelines }
  const byHand = fields.map(
    ({ name, kind, isGone, why }) =>
      `${name}: ${why}; ${isGone ? 'remove the field' : `declare it as ${kind ?? 'it is'}`}`,
  )
  return { ...nothing, byHand, news, pipelines }
}

async function mendedFile({ folder }: LoadedProject, table: string, fields: readonly PulledField[]) {
  const { mendedModel } = await import('#dray-infra/add/pulled-model.ts')
  for (const name of readdirSync(join(folder, 'shared/models')).filter((one) => one.endsWith('.ts'))) {
    const file = join('shared/models', name)
    const mended = mendedModel(readFileSync(join(folder, file), 'utf8'), table, fields)
    if (mended === null) continue
    writeFileSync(join(folder, file), mended.text)
    return { file, changes: mended.changes }
  }
  return null
}

async function pipelinesOf(model: ModelTable, project: LoadedProject): Promise<string[]> {
  const found: string[] = []
  for (const name of await pipelineNames()) {
    const { extract, load } = await project.findPipeline(name)
    if (nameOf(extract.source) === nameOf(model)) found.push(`${name}, which writes ${nameOf(load.target)}`)
  }
  return found
}

/** What the compiler says of the project; nothing where it has none. */
function typeErrorsOf(folder: string): string[] {
  try {
    const compiler = dirname(createRequire(join(folder, 'package.json')).resolve('typescript/package.json'))
    const { stdout } = spawnSync(process.execPath, [join(compiler, 'bin/tsc'), '--noEmit', '-p', folder], {
      cwd: folder,
      encoding: 'utf8',
    })
    return stdout.split('\n').filter((line) => /error TS\d+/.test(line))
  } catch {
    return []
  }
}

function report(pulled: readonly Pulled[], typeErrors: readonly string[]): string {
  const lines = pulled.flatMap(({ table, file, changes, byHand, news, pipelines }) => {
    const own = [
      ...changes.flatMap(({ before, after, why }) => [
        `  ${why}`,
        `    - ${oneLine(before)}`,
        ...(after === null ? [] : [`    + ${oneLine(after)}`]),
      ]),
      ...byHand.map((text) => `  by hand     ${oneLine(text)}`),
      ...news.map(({ column, line }) => `  new column  ${oneLine(column)}; to read it: ${oneLine(line)}`),
      ...pipelines.map((name) => `  follows     look at the transform of ${name}`),
    ]
    return own.length === 0 ? [] : [`${table}${file === null ? '' : ` (${file})`}`, ...own, '']
  })
  if (lines.length === 0) return `${plural(pulled.length, 'table')} looked at: every model fits.\n`
  const mended = pulled.reduce((sum, { changes }) => sum + changes.length, 0)
  if (mended === 0) return `${lines.join('\n')}\nNo model was changed.\n`
  const errors = typeErrors.map((line) => `  ${oneLine(line)}\n`).join('')
  return `${lines.join('\n')}
${plural(mended, 'field')} mended. ${typeErrors.length === 0 ? 'The compiler has nothing to say.' : `The compiler says what else has to follow:\n${errors.trimEnd()}`}
A target that takes up the change: mend its model, then npx dray schema plan
`
}
