import { closeDatabases } from 'dray/internal/active-record/database.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'

type Finder = Pick<LoadedProject, 'findPipeline'>

/**
 * Makes the target table of each pipeline that has never landed anything, from its model; returns their names. A table
 * that is missing later has been lost with its rows: that is for the plan to refuse, since `last_run` would not read
 * them again.
 */
export async function createFirstTargets(
  project: Finder,
  pipelines: readonly string[],
  state: StateStore,
): Promise<string[]> {
  const known = new Map((await state.pipelines()).map((pipeline) => [pipeline.pipeline, pipeline]))
  const created: string[] = []
  for (const name of pipelines.filter((candidate) => (known.get(candidate)?.version ?? 0) === 0)) {
    const table = await createTarget(await project.findPipeline(name))
    if (table !== null) created.push(table)
  }
  await closeDatabases()
  return created
}

/** What keeps the table from being made also keeps the pipeline from running, whose plan says it better. */
async function createTarget({ load: { target } }: Pipeline): Promise<string | null> {
  const { database, table } = target.definition
  try {
    if (await target.database.withConnection((connection) => connection.describe(table))) return null
    await target.createTable({ ifMissing: true })
    return `${database}.${table}`
  } catch {
    return null
  }
}
