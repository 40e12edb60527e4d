import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { PlaceDocument } from '../documents.ts'
import './page.css'
import { Overview } from './overview.tsx'
import { Fault } from './parts.tsx'
import { PlaceContext } from './place.ts'
import { Run } from './run.tsx'
import { Runs } from './runs.tsx'
import { followChanges, takeToken, useAsked, useLive } from './server.ts'

const PAGES = [
  { path: '', title: 'Workflows' },
  { path: 'runs', title: 'Runs' },
] as const

function usePath(): readonly string[] {
  const read = () => location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent)
  const [path, setPath] = useState(read)
  useEffect(() => {
    const listener = () => {
      setPath(read())
      scrollTo(0, 0)
      document.querySelector<HTMLElement>('main')?.focus({ preventScroll: true })
    }
    addEventListener('hashchange', listener)
    return () => removeEventListener('hashchange', listener)
  }, [])
  return path
}

function Shown({ path: [page = '', id, verb, other] }: { readonly path: readonly string[] }) {
  switch (page) {
    case '':
      return <Overview />
    case 'runs':
      return id === undefined ? <Runs /> : <Run key={id} id={id} other={verb === 'compare' ? (other ?? '') : null} />
    default:
      return <p class="empty">There is no such page.</p>
  }
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
