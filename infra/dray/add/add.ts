import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { AddPlan } from './plan-add.ts'

/** Makes the target's tables that are missing, writes the files, and puts them into the project's format. */
export async function carryOut(plan: AddPlan, folder: string): Promise<{ readonly made: readonly string[] }> {
  const made: string[] = []
  for (const { model, isMissing, added } of plan.tables) {
    if (!isMissing) continue
    await model.createTable({ ifMissing: true })
    made.push(`${added.target.database}.${added.target.table}`)
  }
  const paths = plan.changes.list.map(({ path }) => path)
  plan.changes.save()
  await format(folder, paths)
  return { made }
}

/** By Biome, where the project has it. What it finds besides is shown by `npm run lint`. */
async function format(folder: string, paths: readonly string[]): Promise<void> {
  const biome = join(folder, 'node_modules/.bin/biome')
  if (paths.length === 0 || !existsSync(biome)) return
  await promisify(execFile)(biome, ['check', '--write', ...paths], { cwd: folder }).catch(() => undefined)
}
