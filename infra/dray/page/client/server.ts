import { useCallback, useEffect, useRef, useState } from 'preact/hooks'

/* What the page asks the server, and how it learns of changes. */

const TOKEN = 'dray-token'

/** The token comes behind the `#` of the address that the command printed, and stays in this browser. */
export function takeToken(): void {
  const [, token] = /^#token=([\w-]+)$/.exec(location.hash) ?? []
  if (token === undefined) return
  localStorage.setItem(TOKEN, token)
  history.replaceState(null, '', '#/')
}

function headers(): Record<string, string> {
  return { authorization: `Bearer ${localStorage.getItem(TOKEN) ?? ''}` }
}

/** What the server refuses is thrown with its words. */
async function asked<T>(path: string, init: RequestInit = {}): Promise<T> {
  const response = await fetch(path, { ...init, headers: { ...headers(), ...init.headers } })
  const document = await response.json().catch(() => ({ error: `The server answered with ${response.status}.` }))
  if (response.ok) return document as T
  throw new Error(document.error ?? `The server answered with ${response.status}.`)
}

export function send<T>(path: string, document: unknown): Promise<T> {
  return asked(path, {
    method: 'POST',
    body: JSON.stringify(document),
    headers: { 'content-type': 'application/json' },
  })
}

type Change = 'state' | 'project' | 'commands' | 'loop' | 'open'
type Listener = (change: Change) => void

const listeners = new Set<Listener>()
let isLive = false
const liveness = new Set<(live: boolean) => void>()

function setLive(live: boolean): void {
  isLive = live
  for (const listener of liveness) listener(live)
}

const AGAIN_MS = 1_000

/** Server-sent events by fetch, which can send the token as a header. */
export async function followChanges(): Promise<never> {
  for (;;) {
    try {
      const response = await fetch('/api/live', { headers: headers() })
      if (response.ok && response.body !== null) await readEvents(response.body)
    } catch {}
    setLive(false)
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  }
}

async function readEvents(body: ReadableStream<Uint8Array>): Promise<void> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader()
  let text = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    text += value
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    for (const event of events) {
      const change = /^data: (\w+)/m.exec(event)?.[1] as Change | undefined
      if (change === undefined) continue
      if (!isLive) setLive(true)
      for (const listener of listeners) listener(change)
    }
  }
}

export function useLive(): boolean {
  const [live, set] = useState(isLive)
  useEffect(() => {
    liveness.add(set)
    return () => void liveness.delete(set)
  }, [])
  return live
}

export interface Asked<T> {
  /** The last answer; the one before stays while another is asked for. */
  readonly data: T | null
  readonly error: string | null
  again(): void
}

/** The shortest time between two questions of the same, in ms. */
const SPARING_MS = 300

/** The last answers, so that a page that is come back to has its shape at once. */
const kept = new Map<string, unknown>()
const MOST_KEPT = 100

function keep(path: string, data: unknown): void {
  kept.delete(path)
  kept.set(path, data)
  const [oldest] = kept.keys()
  if (kept.size > MOST_KEPT && oldest !== undefined) kept.delete(oldest)
}

/** Asks for a document, and again when what it is made of has changed. */
export function useAsked<T>(path: string | null, changes: readonly Change[] = ['state', 'project']): Asked<T> {
  const [, setTurn] = useState(0)
  const error = useRef<{ readonly path: string; readonly said: string } | null>(null)
  const current = useRef(path)
  current.current = path
  const ask = useCallback(() => {
    const its = current.current
    if (its === null) return
    const settle = (said: string | null) => {
      if (its !== current.current) return
      error.current = said === null ? null : { path: its, said }
      setTurn((turn) => turn + 1)
    }
    asked<T>(its).then(
      (data) => {
        keep(its, data)
        settle(null)
      },
      ({ message }: Error) => settle(message),
    )
  }, [])
  const kinds = changes.join()
  useEffect(() => {
    ask()
    let timer: ReturnType<typeof setTimeout> | null = null
    let last = Date.now()
    const listener = (change: Change) => {
      if (change !== 'open' && !kinds.split(',').includes(change)) return
      if (timer !== null) return
      const again = () => {
        timer = null
        last = Date.now()
        ask()
      }
      timer = setTimeout(again, Math.max(0, last + SPARING_MS - Date.now()))
    }
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
      if (timer !== null) clearTimeout(timer)
    }
  }, [path, kinds, ask])
  const data = path === null ? null : ((kept.get(path) as T | undefined) ?? null)
  return { data, error: error.current?.path === path ? error.current.said : null, again: ask }
}
