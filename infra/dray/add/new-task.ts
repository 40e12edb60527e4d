import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { knownNames } from '#dray-infra/project/known-names.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import { FileChanges } from './file-changes.ts'
import { unitsNamed } from './known-units.ts'
import { importLine } from './literals.ts'
import { addModel, hasClass, type ModelsFile, modelsFile } from './models-file.ts'
import { className, constantName, kebabCase } from './names.ts'
import type { Planned } from './new-workflow.ts'
import { addSteps } from './project-files.ts'

export interface NewTask {
  readonly name: string
  /** The database that it works in. */
  readonly database: string
  readonly workflow: string | null
  /** The steps that have to succeed before it starts. */
  readonly after: readonly string[]
  /** Its work is one SELECT, and it gets a model for its rows. */
  readonly isSql?: boolean
}

/** Says what a new task writes: its work, its handler, and its step in a workflow. */
export function planTask(project: LoadedProject, { name, database, workflow, after, isSql = false }: NewTask): Planned {
  const { folder } = project
  if (name !== kebabCase(name) || name === 'dray') {
    throw new ConfigurationError(`${name} is no name of a task, so nothing was written; write it in kebab-case.`)
  }
  if (existsSync(join(folder, 'functions', name))) {
    throw new ConfigurationError(`functions/${name} is there already, so nothing was written; give another name.`)
  }
  const changes = new FileChanges(folder)
  const file = modelsFile(changes, folder, database)
  const constant = constantName(name)
  const said = { name, constant, database: file.database, specifier: file.specifier }
  changes.write(`functions/${name}/task.ts`, isSql ? sqlTaskText(said, addRows(changes, file, name)) : taskText(said))
  changes.write(
    `functions/${name}/run.ts`,
    `${importLine(['taskHandler'], 'dray/lambda')}${importLine([constant], './task.ts')}
export const handler = taskHandler(${constant})
`,
  )
  const of = project.workflows.find((one) => one.name === (workflow ?? project.main.name))
  if (of === undefined) {
    throw new ConfigurationError(
      `There is no workflow ${workflow}, so nothing was written; ${knownNames(
        workflow ?? '',
        project.workflows.map((one) => one.name),
      )}`,
    )
  }
  const stranger = after.find((step) => !of.steps.some((one) => one.name === step))
  if (stranger !== undefined) {
    throw new ConfigurationError(
      `The workflow ${of.name} has no step ${stranger}, so nothing can come after it and nothing was written; its steps are ${of.steps.map((step) => step.name).join(', ')}.`,
    )
  }
  const before = unitsNamed(after, folder).map((unit) => unit.constant)
  const note = addSteps(changes, folder, of.name, [{ constant, from: `#functions/${name}/task.ts`, after: before }])
  return { changes, notes: note === null ? [] : [note] }
}

interface TaskText {
  readonly name: string
  readonly constant: string
  /** What the models call it. */
  readonly database: string
  readonly specifier: string
}

/** Work that is true as it is, and says where the rest goes. */
function taskText({ name, constant, database, specifier }: TaskText): string {
  return `${importLine(['task'], 'dray')}${importLine([database], specifier)}
/** One transaction: readers see the state before it until it is done. What it returns stands in the table of steps. */
export const ${constant} = task('${name}', ({ signal }) =>
  ${database}.transaction(async () => {
    const { rows } = await ${database}.query('select 1', [], { signal })
    return { read: rows.length }
  }),
)
`
}

/** The model of a task's rows; returns its name. */
function addRows(changes: FileChanges, file: ModelsFile, task: string): string {
  const table = task.replaceAll('-', '_')
  const name = className(table)
  if (hasClass(changes, file, name)) {
    throw new ConfigurationError(
      `${file.path} has ${name} already, which would be the model of the rows of ${task}, so nothing was written; give another name.`,
    )
  }
  addModel(changes, file, {
    imports: ['bigint'],
    text: `/** What the task ${task} selects. */
export class ${name} extends ${file.database}.table('${table}', {
  id: bigint().primaryKey(),
  total: bigint(),
}) {}
`,
  })
  return name
}

/** A SELECT that is true as it is, and says what stands for tables and columns in it. */
function sqlTaskText({ name, constant, specifier }: TaskText, rows: string): string {
  return `${importLine(['sql', 'task'], 'dray')}${importLine([rows], specifier)}
/** A model in the SQL stands for its table, a field for its column. Columns go to those of \`into\` by name. */
export const ${constant} = task('${name}', sql\`select 1 as id, 0 as total\`, { into: ${rows}, by: 'id' })
`
}
