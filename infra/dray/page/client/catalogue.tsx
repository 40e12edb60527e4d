import { useMemo, useState } from 'preact/hooks'
import type { CatalogueDocument, CopiesDocument, ModelDocument, UnitDocument } from '../documents.ts'
import { CommandLine, Empty, Section, Wide } from './parts.tsx'
import { usePlace } from './place.ts'
import { Replicas } from './replicas.tsx'
import { withCopies } from './with-copies.ts'
import { Text } from './words.tsx'

/** Tables with their columns, what writes and reads each, checks and owners. */
export function Catalogue({
  catalogue: declared,
  copies,
  table,
}: {
  readonly catalogue: CatalogueDocument
  /** Null while they are asked for. */
  readonly copies: CopiesDocument | null
  readonly table: string | null
}) {
  const [search, setSearch] = useState('')
  const { pasted } = usePlace()
  const catalogue = useMemo(() => withCopies(declared, copies), [declared, copies])
  // A list that grows under somebody's hand is none.
  const isKnown = copies !== null || declared.units.every(({ kind }) => kind !== 'replica')
  const chosen = catalogue.models.find((model) => model.table === table)
  if (table !== null)
    return chosen === undefined ? (
      <NoModel table={table} catalogue={catalogue} isKnown={isKnown} />
    ) : (
      <Model model={chosen} catalogue={catalogue} />
    )
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  const found = catalogue.models.filter((model) => {
    const text = [
      model.table,
      model.model,
      model.comment,
      ...model.columns.flatMap(({ name, column, comment }) => [name, column, comment]),
    ]
    return words.every((word) => text.join(' ').toLowerCase().includes(word))
  })
  return (
    <>
      <h1>Catalogue</h1>
      <label class="field">
        Search tables, columns and comments
        <input type="search" value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
      </label>
      {!isKnown ? (
        <div class="skeleton" aria-hidden="true" />
      ) : catalogue.models.length === 0 ? (
        <Empty>
          No table is known yet. <CommandLine text={pasted('dray add')} /> lists those that models can be written of.
        </Empty>
      ) : found.length === 0 ? (
        <Empty>No table, column or comment has these words.</Empty>
      ) : (
        <Tables tables={found} catalogue={catalogue} />
      )}
      {copies !== null && <Replicas catalogue={declared} copies={copies} />}
    </>
  )
}

function Tables({
  tables,
  catalogue,
}: {
  readonly tables: readonly ModelDocument[]
  readonly catalogue: CatalogueDocument
}) {
  return (
    <Wide label="Tables">
      <table>
        <thead>
          <tr>
            <th scope="col">table</th>
            <th scope="col">model</th>
            <th scope="col" class="right">
              columns
            </th>
            <th scope="col">written by</th>
            <th scope="col">read by</th>
            <th scope="col">owner</th>
          </tr>
        </thead>
        <tbody>
          {tables.map((model) => {
            const { writers, readers } = usersOf(model, catalogue)
            return (
              <tr key={model.table}>
                <th scope="row">
                  <a href={`#/catalogue/${encodeURIComponent(model.table)}`}>{model.table}</a>
                </th>
                <td>{model.model ?? '–'}</td>
                <td class="right number">{model.columns.length}</td>
                <td>{writers.map(({ name }) => name).join(', ') || '–'}</td>
                <td>{readers.map(({ name }) => name).join(', ') || '–'}</td>
                <td>{[...new Set(writers.flatMap(({ owner }) => owner ?? []))].join(', ') || '–'}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </Wide>
  )
}

function usersOf({ table }: ModelDocument, { units }: CatalogueDocument) {
  return {
    writers: units.filter(({ writes }) => writes.includes(table)),
    readers: units.filter(({ reads }) => reads.includes(table)),
  }
}

/** A table that nothing tells of, or all of a database, as a replica names them. */
function NoModel({
  table,
  catalogue,
  isKnown,
}: {
  readonly table: string
  readonly catalogue: CatalogueDocument
  readonly isKnown: boolean
}) {
  const { pasted } = usePlace()
  if (!isKnown) return <div class="skeleton" aria-hidden="true" />
  const isAll = table.endsWith('.*')
  const its = isAll ? catalogue.models.filter((model) => model.table.startsWith(table.slice(0, -1))) : []
  const database = table.slice(0, table.indexOf('.') + 1)
  const replicas = catalogue.units.filter(
    ({ kind, reads, writes }) => kind === 'replica' && [...reads, ...writes].includes(`${database}*`),
  )
  return (
    <>
      <h1>{table}</h1>
      {its.length > 0 && <Tables tables={its} catalogue={catalogue} />}
      {its.length === 0 && (
        <Empty>
          {replicas.length === 0
            ? `No model and no pipeline names ${table}.`
            : `Nothing is known of ${isAll ? 'its tables' : 'it'} yet: the columns of a replica's table are those that its last run found. `}
          {replicas.map(({ name }) => (
            <span key={name}>
              Which tables it has: <CommandLine text={pasted(`dray plan ${name}`)} /> What makes their columns known:{' '}
              <CommandLine text={pasted(`dray run ${name}`)} />
            </span>
          ))}
        </Empty>
      )}
    </>
  )
}

function Model({ model, catalogue }: { readonly model: ModelDocument; readonly catalogue: CatalogueDocument }) {
  const { writers, readers } = usersOf(model, catalogue)
  const checks = writers.flatMap((unit) => unit.checks.filter(({ table }) => table === model.table))
  return (
    <>
      <h1>{model.table}</h1>
      {model.comment !== null && (
        <p class="comment">
          <Text of={model.comment} />
        </p>
      )}
      <Lineage title="Written by" units={writers} tablesOf={({ reads }) => reads} word="from" />
      <Lineage title="Read by" units={readers} tablesOf={({ writes }) => writes} word="into" />
      <Section title={`Columns of ${model.model ?? model.table}`}>
        <Wide label="Columns">
          <table>
            <thead>
              <tr>
                <th scope="col">column</th>
                {model.model !== null && <th scope="col">field</th>}
                <th scope="col">type</th>
                <th scope="col">null</th>
                <th scope="col">comment</th>
              </tr>
            </thead>
            <tbody>
              {model.columns.map(({ name, column, type, isNullable, isKey, comment }) => (
                <tr key={name}>
                  <th scope="row">
                    {column} {isKey && <span class="muted">key</span>}
                  </th>
                  {model.model !== null && <td>{name}</td>}
                  <td>{type}</td>
                  <td>{isNullable ? 'yes' : 'no'}</td>
                  <td class="text">{comment !== null && <Text of={comment} />}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      </Section>
      {checks.length > 0 && (
        <Section title="Checks">
          <ul class="notes">
            {checks.map(({ name, severity }) => (
              <li key={name}>
                {name} {severity === 'warn' && <span class="muted">warns</span>}
              </li>
            ))}
          </ul>
        </Section>
      )}
    </>
  )
}

function Lineage({
  title,
  units,
  tablesOf,
  word,
}: {
  readonly title: string
  readonly units: readonly UnitDocument[]
  readonly tablesOf: (unit: UnitDocument) => readonly string[]
  readonly word: string
}) {
  if (units.length === 0) return null
  return (
    <Section title={title}>
      <ul class="notes">
        {units.map((unit) => (
          <li key={unit.name}>
            <a href={`#/pipelines/${encodeURIComponent(unit.name)}`}>{unit.name}</a> {word}{' '}
            {tablesOf(unit).map((table, place) => (
              <span key={table}>
                {place > 0 && ', '}
                <a href={`#/catalogue/${encodeURIComponent(table)}`}>{table}</a>
              </span>
            ))}
            {unit.owner !== null && (
              <span class="muted">
                {' '}
                · owner <Text of={unit.owner} />
              </span>
            )}
            {unit.comment !== null && (
              <span class="muted">
                {' '}
                · <Text of={unit.comment} />
              </span>
            )}
          </li>
        ))}
      </ul>
    </Section>
  )
}
