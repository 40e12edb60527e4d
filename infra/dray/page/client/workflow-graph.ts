import type { CatalogueDocument, WorkflowDocument } from '../documents.ts'
import type { GraphEdge, GraphNode } from './graph.tsx'

/** The steps of a workflow, on demand with the tables that they read and write. */
export function graphOf(
  { steps }: WorkflowDocument,
  catalogue: CatalogueDocument,
  { statuses, hasTables }: { readonly statuses: ReadonlyMap<string, string>; readonly hasTables: boolean },
): { readonly nodes: readonly GraphNode[]; readonly edges: readonly GraphEdge[] } {
  const units = new Map(catalogue.units.map((unit) => [unit.name, unit]))
  const tables = new Set<string>()
  const rows: GraphEdge[] = []
  for (const { name } of hasTables ? steps : []) {
    const { reads = [], writes = [] } = units.get(name) ?? {}
    for (const table of [...reads, ...writes]) tables.add(table)
    rows.push(...reads.map((table): GraphEdge => ({ from: `table ${table}`, to: name, kind: 'rows' })))
    rows.push(...writes.map((table): GraphEdge => ({ from: name, to: `table ${table}`, kind: 'rows' })))
  }
  const after = steps.flatMap(({ name, after: before }) =>
    before.map((one): GraphEdge => ({ from: one, to: name, kind: 'after' })),
  )
  return {
    nodes: [
      ...steps.map(
        ({ name, kind }): GraphNode => ({
          id: name,
          label: name,
          said: statuses.get(name) ?? kind,
          kind: 'step',
          status: statuses.get(name) ?? null,
          href: `#/pipelines/${encodeURIComponent(name)}`,
        }),
      ),
      ...[...tables].map(
        (table): GraphNode => ({
          id: `table ${table}`,
          label: table,
          said: 'table',
          kind: 'table',
          status: null,
          href: `#/catalogue/${encodeURIComponent(table)}`,
        }),
      ),
    ],
    edges: [...after, ...rows],
  }
}
