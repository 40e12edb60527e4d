import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { FileChanges } from './file-changes.ts'
import type { AddPlan } from './plan-add.ts'

/** Makes the target's tables that are missing, writes the files, and puts them into the project's format. */
export async function carryOut(plan: AddPlan, folder: string): Promise<{ readonly made: readonly string[] }> {
  const made: string[] = []
  for (const { model, isMissing, added } of plan.tables) {
    if (!isMissing) continue
    await model.createTable({ ifMissing: true })
    made.push(`${added.target.database}.${added.target.table}`)
  }
  await writeFiles(plan.changes, folder)
  return { made }
}

/** Writes the files, in the project's format. */
export async function writeFiles(changes: FileChanges, folder: string): Promise<void> {
  const paths = changes.list.map(({ path }) => path)
  changes.save()
  await format(folder, paths)
}

/** By Biome, where the project has it. What it finds besides is shown by `npm run lint`. */
async function format(folder: string, paths: readonly string[]): Promise<void> {
  const biome = join(folder, 'node_modules/.bin/biome')
  if (paths.length === 0 || !existsSync(biome)) return
  await promisify(execFile)(biome, ['check', '--write', ...paths], { cwd: folder }).catch(() => undefined)
}
