import { ConfigurationError } from 'dray/internal/errors.ts'
import { unitOf } from 'dray/internal/messages/step-name.ts'
import type { Pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import type { WorkflowStep } from 'dray/internal/workflow/workflow.ts'
import { refuseBroken } from '#dray-infra/doctor/refuse-broken.ts'
import type { Services } from '#dray-infra/local/services.ts'
import type { LoadedProject } from '#dray-infra/project/load-project.ts'
import type { AskedSteps } from '#dray-infra/runs/asked-steps.ts'
import { refuseMissingHandlers } from '#dray-infra/runs/run-workers.ts'

interface Starting extends Pick<Services, 'embedded'> {
  readonly steps: readonly WorkflowStep[]
  readonly alone: Parameters<typeof refuseBroken>[1]
}

/**
 * What is wrong with a database is found before the first step begins; with the tables of the one pipeline that is
 * asked for (`alone`), too; with those of a workflow, which others do not wait for, by each step's own Plan.
 */
export async function refuseToStart(
  project: LoadedProject,
  asked: AskedSteps,
  { steps, embedded, alone }: Starting,
): Promise<void> {
  const { closeDatabases } = await import('dray/internal/active-record/database.ts')
  const { stepsOfTables } = await import('dray/internal/pipeline/inspect/replica-tables.ts')
  const names = new Set(steps.map(({ name, of = name, reconciled }) => reconciled?.pipeline ?? of))
  const units = await Promise.all([...names].map((name) => project.findUnit(name)))
  try {
    await refuseBroken(units, null, steps)
    refuseMissingHandlers(asked)
    for (const unit of units) {
      if (unit.kind === 'pipeline' && embedded.has(unit.extract.source.database.name))
        await refuseUnfilled(unit, project)
    }
    if (alone !== null)
      await refuseBroken(units, alone, steps).catch((error: unknown) => {
        alone.services?.signal.throwIfAborted()
        throw error
      })
    for (const unit of units) {
      const its = asked.tables?.filter((table) => unitOf(table) === unit.name) ?? []
      if (unit.kind === 'replica' && its.length > 0) await stepsOfTables(unit, its)
    }
  } finally {
    await closeDatabases()
  }
}

/** What is embedded on a fresh clone has no tables, since nobody has filled it: no model is at fault then. */
async function refuseUnfilled({ name, extract: { source } }: Pipeline, { demo }: LoadedProject): Promise<void> {
  const { database, definition } = source
  if ((await database.withConnection((connection) => connection.describe(definition.table))) !== null) return
  const { urlVariable } = await import('dray/internal/database/database-url.ts')
  const table = `${database.name}.${definition.table}`
  const byDemo = demo === undefined ? '' : '`npx dray run --demo` fills it with the demo data, '
  throw new ConfigurationError(
    `${name} reads ${table}, and ${database.name}, which is embedded here, has no such table yet, so nothing was run; ${byDemo}\`npx dray import csv <file> --into ${table}\` with rows of yours, and ${urlVariable(database.name)}=<url> has a database of yours read in its place.`,
  )
}
