import { writeFiles } from '#dray-infra/add/add.ts'
import { diffText } from '#dray-infra/add/diff-text.ts'
import type { Planned } from '#dray-infra/add/new-workflow.ts'
import { type LoadedProject, loadProject } from '#dray-infra/project/load-project.ts'
import { printAsIs } from './output.ts'
import { printJson } from './verb.ts'

interface NewOptions {
  readonly json?: boolean
  /** What the user does next. */
  readonly next: string
}

/** Writes what is planned, and shows it. */
export async function writePlanned(
  plan: (project: LoadedProject) => Planned | Promise<Planned>,
  { json, next }: NewOptions,
): Promise<void> {
  const project = await loadProject()
  const { changes, notes } = await plan(project)
  const files = changes.list
  await writeFiles(changes, project.folder)
  if (json) {
    printJson('new workflow', {
      files: files.map(({ path, before }) => ({ path, change: before === null ? 'added' : 'changed' })),
      notes,
    })
  } else printAsIs(`${[...files.map(diffText), ...notes, `Next: ${next}`].join('\n')}\n`)
}
