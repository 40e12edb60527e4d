import type { CatalogueDocument, UnitDocument } from '../documents.ts'

/** What a name runs: a step, or a table of a replica, `sales-raw/orders`. */
export function unitNamed({ units }: CatalogueDocument, name: string): UnitDocument | undefined {
  const found = units.find((unit) => unit.name === name)
  if (found !== undefined) return found
  const [owner = '', ...rest] = name.split('/')
  const replica = units.find((unit) => unit.kind === 'replica' && unit.name === owner)
  const table = rest.join('/')
  if (replica === undefined || table === '') return undefined
  const reads = replica.reads.map((all) => all.replace(/\*$/, table))
  return { ...replica, kind: 'table', name, reads, checks: [], comment: `A table of the replica ${owner}.` }
}
