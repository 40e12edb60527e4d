import { render } from 'preact'
import { useEffect } from 'preact/hooks'
import type { CopiesDocument, PlaceDocument } from '../documents.ts'
import './page.css'
import { Catalogue } from './catalogue.tsx'
import { Loop } from './loop.tsx'
import { Overview, type ProjectAnswer } from './overview.tsx'
import { Fault } from './parts.tsx'
import { usePath } from './path.ts'
import { Pipeline, Pipelines } from './pipelines.tsx'
import { PlaceContext } from './place.ts'
import { Quarantine } from './quarantine.tsx'
import { Run } from './run.tsx'
import { Runs } from './runs.tsx'
import { followChanges, takeToken, useAsked, useLive } from './server.ts'

const PAGES = [
  { path: '', title: 'Workflows' },
  { path: 'runs', title: 'Runs' },
  { path: 'pipelines', title: 'Pipelines' },
  { path: 'quarantine', title: 'Quarantine' },
  { path: 'loop', title: 'Loop' },
  { path: 'catalogue', title: 'Catalogue' },
] as const

function Shown({ path: [page = '', id, verb, other] }: { readonly path: readonly string[] }) {
  switch (page) {
    case '':
      return <Overview />
    case 'runs':
      return id === undefined ? <Runs /> : <Run key={id} id={id} other={verb === 'compare' ? (other ?? '') : null} />
    case 'pipelines':
      return id === undefined ? <Pipelines /> : <Pipeline key={id} name={id} />
    case 'quarantine':
      return <Quarantine key={id ?? ''} pipeline={id ?? null} />
    case 'loop':
      return <Loop />
    case 'catalogue':
      return <LiveCatalogue table={id ?? null} />
    default:
      return <p class="empty">There is no such page.</p>
  }
}

const NO_COPIES: CopiesDocument = { tables: [], unknown: [] }

function LiveCatalogue({ table }: { readonly table: string | null }) {
  const { data, error } = useAsked<ProjectAnswer>('/api/project', ['project'])
  const copies = useAsked<CopiesDocument>('/api/copies')
  const fault = error ?? data?.fault ?? null
  return (
    <>
      <Fault of={fault} />
      <Fault of={copies.error} />
      {data?.catalogue && (
        <Catalogue
          catalogue={data.catalogue}
          copies={copies.data ?? (copies.error === null ? null : NO_COPIES)}
          table={table}
        />
      )}
    </>
  )
}

function Page() {
  const path = usePath()
  const isLive = useLive()
  const place = useAsked<PlaceDocument>('/api/place', [])
  const title = PAGES.find((one) => one.path === path[0])?.title ?? 'Dray'
  useEffect(() => {
    document.title = `${path[1] ?? title} · Dray${place.data && place.data.env !== 'local' ? ` · ${place.data.env}` : ''}`
  }, [path, title, place.data])
  return (
    <>
      <button type="button" class="skip" onClick={() => document.querySelector<HTMLElement>('main')?.focus()}>
        Skip to the page
      </button>
      <header>
        <a class="mark" href="#/">
          Dray
        </a>
        <nav aria-label="Pages">
          {PAGES.map(({ path: to, title: label }) => (
            <a key={to} href={`#/${to}`} aria-current={path[0] === to ? 'page' : undefined}>
              {label}
            </a>
          ))}
        </nav>
        <span class={`live ${isLive ? 'on' : 'off'}`} role="status">
          <span aria-hidden="true" class="dot" />
          {place.data?.env ?? ''} <span class="word">{isLive ? 'live' : 'not connected'}</span>
        </span>
      </header>
      <main id="main" tabIndex={-1}>
        <Fault of={place.error} />
        {place.data !== null && (
          <PlaceContext.Provider value={place.data}>
            <Shown path={path} />
          </PlaceContext.Provider>
        )}
      </main>
    </>
  )
}

takeToken()
void followChanges()
render(<Page />, document.getElementById('page') as HTMLElement)
