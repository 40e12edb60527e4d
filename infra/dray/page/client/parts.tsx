import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { send } from './server.ts'
import { Text } from './words.tsx'

/** What a page says where there is nothing to see: why, and which command changes that. */
export function Empty({ children }: { readonly children: ComponentChildren }) {
  return <p class="empty">{children}</p>
}

export function Fault({ of }: { readonly of: string | null }) {
  if (of === null) return null
  return (
    <p class="fault" role="alert">
      <Text of={of} />
    </p>
  )
}

const COPIED_MS = 1_500

/** A command that can be copied. */
export function CommandLine({ text }: { readonly text: string }) {
  const [isCopied, setCopied] = useState(false)
  useEffect(() => {
    if (!isCopied) return
    const timer = setTimeout(() => setCopied(false), COPIED_MS)
    return () => clearTimeout(timer)
  }, [isCopied])
  return (
    <span class="command">
      <code>
        <Text of={text} />
      </code>
      <button
        type="button"
        class="quiet"
        aria-label={`Copy ${text}`}
        onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
      >
        {isCopied ? 'copied' : 'copy'}
      </button>
    </span>
  )
}

interface StartedCommand {
  readonly run: string | null
}

/** A button that has the server do something; with `confirm` it asks before. */
export function Action({
  label,
  asks,
  confirm,
  onDone,
}: {
  readonly label: string
  readonly asks: object
  readonly confirm?: string
  readonly onDone?: () => void
}) {
  const [state, setState] = useState<'idle' | 'asking' | 'busy'>('idle')
  const [error, setError] = useState<string | null>(null)
  const act = async () => {
    setState('busy')
    setError(null)
    try {
      const { run } = await send<StartedCommand>('/api/commands', asks)
      if (run !== null) location.hash = `#/runs/${encodeURIComponent(run)}`
      onDone?.()
    } catch (fault) {
      setError((fault as Error).message)
    }
    setState('idle')
  }
  if (state === 'asking') {
    return (
      <span class="confirm" role="group" aria-label={label}>
        <span>{confirm}</span>
        <button type="button" class="primary" onClick={act}>
          {label}
        </button>
        <button type="button" onClick={() => setState('idle')}>
          Leave it
        </button>
      </span>
    )
  }
  return (
    <>
      <button
        type="button"
        disabled={state === 'busy'}
        onClick={() => (confirm === undefined ? void act() : setState('asking'))}
      >
        {label}
      </button>
      <Fault of={error} />
    </>
  )
}

export function Section({
  title,
  children,
  aside,
}: {
  readonly title: string
  readonly children: ComponentChildren
  readonly aside?: ComponentChildren
}) {
  return (
    <section aria-label={title}>
      <div class="head">
        <h2>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  )
}

/** A wide thing that is moved sideways, by the keyboard as well. */
export function Wide({ label, children }: { readonly label: string; readonly children: ComponentChildren }) {
  return (
    <section class="wide" aria-label={label} tabIndex={0}>
      {children}
    </section>
  )
}
