import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { bracketsOf, withImport, withItems } from './edits.ts'
import type { FileChanges } from './file-changes.ts'

const WORKFLOWS = 'infra/workflows'

/** A step: what is exported as `constant` by `from`. */
export interface AddedStep {
  readonly constant: string
  readonly from: string
  /** What the workflow calls the steps that come first. */
  readonly after?: readonly string[]
}

/** Adds steps to a workflow; returns what to do by hand where its list is not found. */
export function addSteps(
  changes: FileChanges,
  folder: string,
  workflow: string,
  steps: readonly AddedStep[],
): string | null {
  const path = workflowFile(changes, folder, workflow)
  const text = path === null ? null : changes.read(path)
  const declared = new RegExp(`\\bworkflow\\(\\s*['"]${workflow}['"]\\s*,`).exec(text ?? '')
  const list = text === null || declared === null ? null : bracketsOf(text, /\bsteps:\s*\[/, declared.index)
  if (path === null || text === null || list === null) {
    const lines = steps.map((step) => `import { ${step.constant} } from '${step.from}' and ${stepText(step)}`)
    return `The steps of the workflow ${workflow} were not found as \`steps: [ … ]\` in ${WORKFLOWS}, so they stay as they are; add ${lines.join(', ')}.`
  }
  const inner = text.slice(list.open, list.close)
  const missing = steps.filter(({ constant }) => !new RegExp(`\\brun\\(\\s*${constant}\\b`).test(inner))
  if (missing.length === 0) return null
  let changed = withItems(text, list, missing.map(stepText))
  for (const { constant, from } of missing) changed = withImport(changed, constant, from)
  changes.write(path, changed)
  return null
}

function stepText({ constant, after = [] }: AddedStep): string {
  return after.length === 0 ? `run(${constant})` : `run(${constant}, { after: [${after.join(', ')}] })`
}

/** Adds a workflow to `infra/project.ts`; returns what to do by hand. */
export function addWorkflow(changes: FileChanges, constant: string, file: string): string | null {
  const path = 'infra/project.ts'
  const text = changes.read(path) ?? ''
  const list = bracketsOf(text, /\bworkflows:\s*\[/)
  const from = `./workflows/${file}`
  if (list === null) {
    return `${path} has no \`workflows: [ … ]\` that could be read, so it stays as it is; add ${constant} of '${from}' to it.`
  }
  changes.write(path, withImport(withItems(text, list, [constant]), constant, from))
  return null
}

function workflowFile(changes: FileChanges, folder: string, workflow: string): string | null {
  const files = existsSync(join(folder, WORKFLOWS)) ? readdirSync(join(folder, WORKFLOWS)) : []
  const paths = [
    ...files.filter((file) => file.endsWith('.ts')).map((file) => `${WORKFLOWS}/${file}`),
    'infra/project.ts',
  ]
  const declares = new RegExp(`\\bworkflow\\(\\s*['"]${workflow}['"]`)
  return paths.find((path) => declares.test(changes.read(path) ?? '')) ?? null
}

/** Adds a database to `infra/project.ts` and to each environment; returns what to do by hand. */
export function addDatabase(changes: FileChanges, name: string, engine: 'postgres' | 'mysql' | 'sqlite'): string[] {
  const key = /^[a-z]\w*$/.test(name) ? name : `'${name}'`
  const embedded = engine === 'postgres' ? 'postgres' : 'sqlite'
  return [addToProject(changes, key, embedded), addToEnvironments(changes, name, key, engine)].filter(
    (note) => note !== null,
  )
}

function addToProject(changes: FileChanges, key: string, embedded: string): string | null {
  const path = 'infra/project.ts'
  const text = changes.read(path) ?? ''
  const list = bracketsOf(text, /\bdatabases:\s*\{/)
  const line = `${key}: { embedded: '${embedded}' }`
  if (list === null) return `${path} has no \`databases: { … }\` that could be read; add ${line} to it.`
  changes.write(path, withItems(text, list, [line]))
  return null
}

/** Each environment that names databases is given a secret's name after its pattern. */
function addToEnvironments(changes: FileChanges, name: string, key: string, engine: string): string | null {
  const path = 'infra/environments.ts'
  let text = changes.read(path)
  if (text === null) return null
  // SQLite is no engine of an environment: there the database will be another one.
  const deployed = engine === 'postgres' ? 'postgres' : 'mysql'
  let from = 0
  let added = 0
  for (;;) {
    const list = bracketsOf(text, /\bdatabases:\s*\{/, from)
    if (list === null) break
    const before = text.slice(0, list.open)
    const [environment = 'dev'] = [...before.matchAll(/^ {2}['"]?([\w-]+)['"]?: \{/gm)]
      .map(([, found]) => found as string)
      .slice(-1)
    text = withItems(text, list, [`${key}: { engine: '${deployed}', secret: '/dray/${environment}/${name}/url' }`])
    from = list.open + 1
    added += 1
  }
  changes.write(path, text)
  return added === 0
    ? `No environment of ${path} names its databases, so none was given ${name}; add it where the project is deployed.`
    : null
}
