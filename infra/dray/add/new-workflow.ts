import { ConfigurationError } from 'dray/internal/errors.ts'
import { cron } from 'dray/workflow'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import { FileChanges } from './file-changes.ts'
import { knownUnits, unitsNamed } from './known-units.ts'
import { importLine, quotedText } from './literals.ts'
import { constantName, kebabCase } from './names.ts'
import { addWorkflow } from './project-files.ts'

export interface NewWorkflow {
  readonly name: string
  readonly steps: readonly string[]
  /** `0 2 * * *` */
  readonly cron: string | null
  readonly timezone: string
}

export interface Planned {
  readonly changes: FileChanges
  /** What is left to do by hand. */
  readonly notes: readonly string[]
}

/** Says what a new workflow writes: its file, and its line in `infra/project.ts`. */
export function planWorkflow(project: LoadedProject, wanted: NewWorkflow): Planned {
  const { name, steps } = wanted
  if (name !== kebabCase(name)) {
    throw new ConfigurationError(`${name} is not in kebab-case, so nothing was written; call it ${kebabCase(name)}.`)
  }
  if (project.workflows.some((one) => one.name === name)) {
    throw new ConfigurationError(`There is a workflow ${name} already, so nothing was written; give another name.`)
  }
  if (steps.length === 0) {
    const names = knownUnits(project.folder).map((unit) => unit.name)
    throw new ConfigurationError(
      `A workflow without steps would do nothing, so none was written; name its pipelines and tasks: npx dray new workflow ${name} ${names.slice(0, 2).join(' ')}. There are ${names.join(', ')}.`,
    )
  }
  if (wanted.cron !== null) cron(wanted.cron, { timezone: wanted.timezone })
  const changes = new FileChanges(project.folder)
  const path = `infra/workflows/${name}.ts`
  if (changes.read(path) !== null) {
    throw new ConfigurationError(`${path} is there already, so nothing was written; give another name.`)
  }
  changes.write(path, workflowText(wanted, project.folder))
  const note = addWorkflow(changes, constantName(name), `${name}.ts`)
  return { changes, notes: note === null ? [] : [note] }
}

function workflowText({ name, steps, cron, timezone }: NewWorkflow, folder: string): string {
  const units = unitsNamed(steps, folder)
  const imports = [...units]
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .map(({ constant, from }) => importLine([constant], from))
  const list = `  steps: [${units.map(({ constant }) => `run(${constant})`).join(', ')}],\n`
  const lines = `  steps: [\n${units.map(({ constant }) => `    run(${constant}),\n`).join('')}  ],\n`
  const schedule =
    cron === null ? '' : `  schedule: cron(${quotedText(cron)}, { timezone: ${quotedText(timezone)} }),\n`
  const names = [...(cron === null ? [] : ['cron']), 'run', 'workflow']
  return `${importLine(names, 'dray/workflow')}${imports.join('')}
export const ${constantName(name)} = workflow('${name}', {
${list.length <= 121 ? list : lines}${schedule}})
`
}
