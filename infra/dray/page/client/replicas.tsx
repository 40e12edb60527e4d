import type { CatalogueDocument, CopiesDocument, UnitDocument } from '../documents.ts'
import { CommandLine, Section } from './parts.tsx'
import { usePlace } from './place.ts'
import { plural } from './words.tsx'

/** Which tables of replicas stand in the catalogue, and what makes the others known. */
export function Replicas({
  catalogue,
  copies,
}: {
  readonly catalogue: CatalogueDocument
  readonly copies: CopiesDocument
}) {
  const replicas = catalogue.units.filter(({ kind }) => kind === 'replica')
  if (replicas.length === 0) return null
  return (
    <Section title="Tables of replicas">
      <ul class="notes">
        {replicas.map((replica) => (
          <KnownTables key={replica.name} replica={replica} copies={copies} />
        ))}
      </ul>
    </Section>
  )
}

function KnownTables({ replica, copies }: { readonly replica: UnitDocument; readonly copies: CopiesDocument }) {
  const { name, reads, writes } = replica
  const { pasted } = usePlace()
  const isIts = (table: string) => table.startsWith(`${name}/`)
  const known = copies.tables.filter(({ unit }) => isIts(unit.name)).length
  const unknown = copies.unknown.filter(isIts)
  return (
    <li>
      <a href={`#/pipelines/${encodeURIComponent(name)}`}>{name}</a> copies {reads.join(', ')} into {writes.join(', ')}.{' '}
      {known > 0 && `${plural(known, 'table')} as the last runs found them. `}
      {known + unknown.length === 0 && 'None has run, so that no column is known. '}
      {unknown.length > 0 && `Of ${unknown.join(', ')} no plan of a run is kept, so that the columns are not known. `}
      {(known === 0 || unknown.length > 0) && (
        <>
          The next run that reads them makes them known: <CommandLine text={pasted(`dray run ${name}`)} />{' '}
        </>
      )}
      All tables that it has now, and why one is refused: <CommandLine text={pasted(`dray plan ${name}`)} />
    </li>
  )
}
