import type { CatalogueDocument, CopiesDocument } from '../documents.ts'

/** What the project declares, with what is known of replicas' tables; one that has a model is shown by its model. */
export function withCopies(catalogue: CatalogueDocument, copies: CopiesDocument | null): CatalogueDocument {
  const { tables } = copies ?? { tables: [] }
  const models = new Map(tables.flatMap(({ source, target }) => [source, target]).map((model) => [model.table, model]))
  for (const model of catalogue.models) models.set(model.table, model)
  return {
    ...catalogue,
    units: [...catalogue.units, ...tables.map(({ unit }) => unit)],
    models: [...models.values()].sort((one, other) => (one.table < other.table ? -1 : 1)),
  }
}
