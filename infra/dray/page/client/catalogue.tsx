import { useState } from 'preact/hooks'
import type { CatalogueDocument, ModelDocument, UnitDocument } from '../documents.ts'
import { Empty, Section, Wide } from './parts.tsx'
import { Text } from './words.tsx'

/** Models with their columns, what writes and reads each, checks and owners. */
export function Catalogue({
  catalogue,
  table,
}: {
  readonly catalogue: CatalogueDocument
  readonly table: string | null
}) {
  const [search, setSearch] = useState('')
  const chosen = catalogue.models.find((model) => model.table === table)
  if (table !== null)
    return chosen === undefined ? (
      <NoModel table={table} catalogue={catalogue} />
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
      {catalogue.models.length === 0 && <Empty>The project has no models yet.</Empty>}
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
            {found.map((model) => {
              const { writers, readers } = usersOf(model, catalogue)
              return (
                <tr key={model.table}>
                  <th scope="row">
                    <a href={`#/catalogue/${encodeURIComponent(model.table)}`}>{model.table}</a>
                  </th>
                  <td>{model.model}</td>
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
    </>
  )
}

function usersOf({ table }: ModelDocument, { units }: CatalogueDocument) {
  return {
    writers: units.filter(({ writes }) => writes.includes(table)),
    readers: units.filter(({ reads }) => reads.includes(table)),
  }
}

function NoModel({ table, catalogue }: { readonly table: string; readonly catalogue: CatalogueDocument }) {
  const by = catalogue.units.filter(({ reads, writes }) => [...reads, ...writes].includes(table))
  return (
    <Empty>
      {table} has no model:{' '}
      {by.length === 0
        ? 'nothing here names it.'
        : `the replica ${by.map(({ name }) => name).join(', ')} copies what is there.`}
    </Empty>
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
                <th scope="col">field</th>
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
                  <td>{name}</td>
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
