import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { knownNames } from '#dray-infra/project/known-names.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import { FileChanges } from './file-changes.ts'
import { unitsNamed } from './known-units.ts'
import { importLine } from './literals.ts'
import { modelsFile } from './models-file.ts'
import { constantName, kebabCase } from './names.ts'
import type { Planned } from './new-workflow.ts'
import { addSteps } from './project-files.ts'

export interface NewTask {
  readonly name: string
  /** The database that it works in. */
  readonly database: string
  readonly workflow: string | null
  /** The steps that have to succeed before it starts. */
  readonly after: readonly string[]
}

/** Says what a new task writes: its work, its handler, and its step in a workflow. */
export function planTask(project: LoadedProject, { name, database, workflow, after }: NewTask): Planned {
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
  changes.write(
    `functions/${name}/task.ts`,
    taskText({ name, constant, database: file.database, specifier: file.specifier }),
  )
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
