import { render } from 'preact'
import { useEffect } from 'preact/hooks'
import type { CatalogueDocument, CopiesDocument, UnitDocument } from '../documents.ts'
import { Catalogue } from './catalogue.tsx'
import { Graph } from './graph.tsx'
import './page.css'
import { Facts } from './facts.tsx'
import { Empty } from './parts.tsx'
import { usePath } from './path.ts'
import { nowhere, PlaceContext } from './place.ts'
import { withCopies } from './with-copies.ts'
import { Text } from './words.tsx'
import { graphOf } from './workflow-graph.ts'

/* The pages of `dray docs`: what the project declares, and nothing that has run. */

declare global {
  interface Window {
    readonly drayCatalogue: {
      readonly title: string
      /** Whose runs tell of the tables of replicas. */
      readonly env: string
      readonly catalogue: CatalogueDocument
      readonly copies: CopiesDocument
    }
  }
}

const NO_STATUS: ReadonlyMap<string, string> = new Map()

function Workflows({ catalogue }: { readonly catalogue: CatalogueDocument }) {
  return (
    <>
      <h1>Workflows</h1>
      {catalogue.workflows.map((workflow) => (
        <article class="card" key={workflow.name} aria-label={workflow.name}>
          <h2>{workflow.name}</h2>
          <Graph
            label={`Steps of ${workflow.name}`}
            {...graphOf(workflow, catalogue, { statuses: NO_STATUS, hasTables: true })}
          />
        </article>
      ))}
    </>
  )
}

function Unit({ unit }: { readonly unit: UnitDocument }) {
  return (
    <>
      <h1>{unit.name}</h1>
      {unit.comment !== null && (
        <p class="comment">
          <Text of={unit.comment} />
        </p>
      )}
      <Facts unit={unit} state={null} now={null} />
    </>
  )
}

function Shown() {
  const { title, env, catalogue, copies } = window.drayCatalogue
  const [page, id] = usePath()
  const unit = withCopies(catalogue, copies).units.find(({ name }) => name === id)
  useEffect(() => {
    document.title = id === undefined ? title : `${id} · ${title}`
  }, [id, title])
  return (
    <PlaceContext.Provider value={{ ...nowhere, env }}>
      <header>
        <a class="mark" href="#/">
          {title}
        </a>
        <nav aria-label="Pages">
          <a href="#/" aria-current={page === '' || page === 'catalogue' ? 'page' : undefined}>
            Tables
          </a>
          <a href="#/workflows" aria-current={page === 'workflows' ? 'page' : undefined}>
            Workflows
          </a>
        </nav>
      </header>
      <main id="main" tabIndex={-1}>
        {page === 'workflows' && <Workflows catalogue={catalogue} />}
        {page === 'pipelines' && (unit === undefined ? <Empty>There is no {id} here.</Empty> : <Unit unit={unit} />)}
        {page !== 'workflows' && page !== 'pipelines' && (
          <Catalogue catalogue={catalogue} copies={copies} table={id ?? null} />
        )}
      </main>
    </PlaceContext.Provider>
  )
}

render(<Shown />, document.getElementById('page') as HTMLElement)
