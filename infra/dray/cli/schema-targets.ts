import type { RenameAnswers } from 'dray/internal/active-record/schema-plan.ts'
import type { TableChanges, WantedTable } from 'dray/internal/messages/schema.ts'
import { schemaInputOf, wantedTable } from 'dray/internal/pipeline/inspect/wanted-table.ts'
import { loadProject } from '#dray-infra/project/load-project.ts'
import { isLocal, type Where } from './environment.ts'
import { pipelineNames } from './pipelines.ts'
import { type ModelsOfTable, nameOf, withModels } from './schema-models.ts'

/** Asks whoever reaches the databases; the changes of the tables, in their order. */
type Ask = (tables: readonly WantedTable[]) => Promise<readonly TableChanges[]>

/** Lends the models of tables that are written, and what plans and changes these: this process, or a function. */
export function withTargets<T>(
  tables: readonly string[],
  options: Where,
  work: (targets: readonly ModelsOfTable[], ask: Ask) => Promise<T>,
): Promise<T> {
  return withModels('writes', tables, options, async (models) => {
    const environment = isLocal(options) ? null : options.env
    const asker = { by: await whoAmI(), environment }
    const followed = await followedTables()
    const inputOf = (wanted: readonly WantedTable[]) =>
      schemaInputOf(
        wanted.map((one) => (followed.has(`${one.database}.${one.table}`) ? { ...one, keepsUnknown: true } : one)),
        asker,
      )
    if (environment === null) {
      const { fitSchema } = await import('dray/internal/pipeline/inspect/fit-schema.ts')
      return work(models, async (wanted) => (await fitSchema(inputOf(wanted))).tables)
    }
    const { fitDeployedSchema } = await import('#dray-infra/remote/schema.ts')
    return work(models, (wanted) => fitDeployedSchema(environment, inputOf(wanted)))
  })
}

/** What is wanted of a table, with nothing chosen yet. */
export function wantedOf([model, ...others]: ModelsOfTable, answers: RenameAnswers): WantedTable {
  return wantedTable(model, {
    ...answers,
    others: others.flatMap(({ definition }) => definition.columnNames),
    chosen: [],
  })
}

/** Tables into which a pipeline takes columns over that no model knows. */
async function followedTables(): Promise<ReadonlySet<string>> {
  const { findPipeline } = await loadProject()
  const found = await Promise.all((await pipelineNames()).map((name) => findPipeline(name)))
  return new Set(found.filter(({ columns }) => columns.areFollowed).map(({ load }) => nameOf(load.target)))
}

async function whoAmI(): Promise<string> {
  const { hostname, userInfo } = await import('node:os')
  return `${userInfo().username}@${hostname()}`
}
