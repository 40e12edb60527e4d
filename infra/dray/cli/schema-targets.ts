import type { RenameAnswers } from 'dray/internal/active-record/schema-plan.ts'
import type { TableChanges, WantedTable } from 'dray/internal/messages/schema.ts'
import { schemaInputOf, wantedTable } from 'dray/internal/pipeline/inspect/wanted-table.ts'
import { isLocal, type Where } from './environment.ts'
import { type ModelsOfTable, withModels } from './schema-models.ts'

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
    if (environment === null) {
      const { fitSchema } = await import('dray/internal/pipeline/inspect/fit-schema.ts')
      return work(models, async (wanted) => (await fitSchema(schemaInputOf(wanted, asker))).tables)
    }
    const { fitDeployedSchema } = await import('#dray-infra/remote/schema.ts')
    return work(models, (wanted) => fitDeployedSchema(environment, schemaInputOf(wanted, asker)))
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

async function whoAmI(): Promise<string> {
  const { hostname, userInfo } = await import('node:os')
  return `${userInfo().username}@${hostname()}`
}
