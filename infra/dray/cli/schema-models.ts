import type { ModelTable } from 'dray/internal/active-record/model-table.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { knownNames } from '#dray-infra/project/known-names.ts'
import { type LoadedProject, loadProject } from '#dray-infra/project/load-project.ts'
import { isLocal, type Where } from './environment.ts'

/** The models of one table, the one that is asked for first. */
export type ModelsOfTable = readonly [ModelTable, ...ModelTable[]]

export function nameOf({ definition }: Pick<ModelTable, 'definition'>): string {
  return `${definition.database}.${definition.table}`
}

/**
 * Lends the models that write, or those that only read; all, or those of these tables. On this machine with their
 * databases up; those of an environment are reached from there.
 */
export async function withModels<T>(
  what: 'reads' | 'writes',
  tables: readonly string[],
  options: Where,
  work: (models: readonly ModelsOfTable[]) => Promise<T>,
): Promise<T> {
  const { declaredModels } = await import('#dray-infra/local/databases.ts')
  const project = await loadProject()
  const declared = await declaredModels(project)
  if (!isLocal(options)) return work(modelsNamed(what, tables, await deployedOnes(declared, project)))
  const models = modelsNamed(what, tables, declared)
  const { drayHome } = await import('#dray-infra/local/home.ts')
  const { startServices } = await import('#dray-infra/local/services.ts')
  const { closeDatabases } = await import('dray/internal/active-record/database.ts')
  const databases = [...new Set(models.map(([{ database }]) => database.name))]
  const services = await startServices({ home: drayHome(), project, databases, state: false })
  try {
    return await work(models)
  } finally {
    await closeDatabases()
    await services.stop()
  }
}

/** An environment changes tables of the databases alone that its pipelines write. */
async function deployedOnes(models: readonly ModelTable[], project: LoadedProject): Promise<readonly ModelTable[]> {
  const { deployedWorkflows } = await import('#dray-infra/aws/deployed-workflows.ts')
  const steps = (await deployedWorkflows(project)).flatMap(({ databases }) => [...databases.values()])
  const targets = new Set(steps.flatMap((step) => step.targets))
  return models.filter(({ database }) => targets.has(database.name))
}

function modelsNamed(
  what: 'reads' | 'writes',
  tables: readonly string[],
  models: readonly ModelTable[],
): ModelsOfTable[] {
  const all = [...Map.groupBy(models, nameOf).values()].flatMap((ones): ModelsOfTable[] => {
    const first = ones.find(({ definition }) => definition.readOnly === (what === 'reads'))
    return first === undefined ? [] : [[first, ...ones.filter((one) => one !== first)]]
  })
  const isNamed = (name: string, [model]: ModelsOfTable) => name === model.database.name || name === nameOf(model)
  const unknown = tables.find((name) => !all.some((ones) => isNamed(name, ones)))
  if (unknown !== undefined) {
    throw new ConfigurationError(
      `No model ${what} ${unknown}, so nothing was done; ${knownNames(
        unknown,
        all.map(([model]) => nameOf(model)),
      )}`,
    )
  }
  return all.filter((ones) => tables.length === 0 || tables.some((name) => isNamed(name, ones)))
}
