import { findPipeline } from '#functions/control/find-pipeline.ts'
import { closeDatabases } from '#shared/active-record/database.ts'
import type { StateStore } from '#shared/state/state-store.ts'

/**
 * Makes the target table of each pipeline that has never landed anything, from its model; returns their names. A table
 * that is missing later has been lost with its rows: that is for the plan to refuse, since `last_run` would not read them again.
 */
export async function createFirstTargets(pipelines: readonly string[], state: StateStore): Promise<string[]> {
  const known = new Map((await state.pipelines()).map((pipeline) => [pipeline.pipeline, pipeline]))
  const created: string[] = []
  for (const name of pipelines.filter((candidate) => (known.get(candidate)?.version ?? 0) === 0)) {
    const table = await createTarget(name)
    if (table !== null) created.push(table)
  }
  await closeDatabases()
  return created
}

/** What keeps the table from being made also keeps the pipeline from running, whose plan says it better. */
async function createTarget(name: string): Promise<string | null> {
  const { target } = (await findPipeline(name)).load
  const { database, table } = target.definition
  try {
    if (await target.database.withConnection((connection) => connection.describe(table))) return null
    await target.createTable({ ifMissing: true })
    return `${database}.${table}`
  } catch {
    return null
  }
}
