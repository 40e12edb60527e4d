import { useState } from 'preact/hooks'
import type { CommandDocument } from '../commands.ts'
import type { LoopDocument, SavedDocument } from '../documents.ts'
import { CommandLine, Empty, Fault, Section } from './parts.tsx'
import { usePlace } from './place.ts'
import { PreviewRows } from './preview-rows.tsx'
import { send, useAsked } from './server.ts'
import { Moment, plural, Status, Text } from './words.tsx'

/** What happens on the laptop: saves, the clock, events, and what the page has started. */
export function Loop() {
  const { data, error } = useAsked<LoopDocument>('/api/loop', ['loop', 'project'])
  const { env, mayAct } = usePlace()
  if (data !== null && !data.isWatching) {
    return (
      <>
        <h1>Loop</h1>
        <Empty>
          In {env} nothing is saved here, and its clock and its bus are AWS's. <CommandLine text="npx dray dev" /> has
          the loop of the laptop.
        </Empty>
        {data.events.length > 0 && (
          <Section title="Events">
            <p class="muted">They come from the bus of {env}: nothing is sent from here.</p>
            <ul class="notes">
              {data.events.map(({ workflow, source, detailType }) => (
                <li key={`${workflow} ${source} ${detailType}`}>
                  <Text of={`${detailType} from ${source}`} /> → <a href="#/">{workflow}</a>
                </li>
              ))}
            </ul>
          </Section>
        )}
        {mayAct && <Started />}
      </>
    )
  }
  return (
    <>
      <h1>Loop</h1>
      <Fault of={error} />
      {data !== null && (
        <>
          <Section
            title="Saved"
            aside={
              <span class="muted" role="status">
                {data.types.isLooking ? 'The compiler looks …' : `${plural(data.types.faults.length, 'type fault')}`}
              </span>
            }
          >
            {data.types.faults.length > 0 && (
              <pre class="fault" tabIndex={0} role="region" aria-label="Faults of types">
                {data.types.faults.join('\n')}
              </pre>
            )}
            {data.saved.length === 0 && (
              <Empty>
                Save a transform in functions/: what it makes of the next rows appears here, beside what it made of them
                before. Look at the page of the pipeline first, so that there is a before.
              </Empty>
            )}
            {data.saved.map((saved) => (
              <Saved key={saved.pipeline} saved={saved} />
            ))}
          </Section>
          <Schedules schedules={data.schedules} />
          <Events events={data.events} />
        </>
      )}
      <Started />
    </>
  )
}

function Saved({ saved: { pipeline, at, took, before, after, fault, checks } }: { readonly saved: SavedDocument }) {
  return (
    <article class="card" aria-label={`${pipeline} as it was saved`}>
      <div class="head">
        <h3>
          <a href={`#/pipelines/${encodeURIComponent(pipeline)}`}>{pipeline}</a>
        </h3>
        <span class="muted">
          saved <Moment at={at} />, shown after <span class="number">{(took / 1000).toFixed(2)} s</span>
        </span>
      </div>
      <Fault of={fault} />
      {checks.length > 0 && (
        <ul class="notes">
          {checks.map(({ check, verdict, said }) => (
            <li key={`${check} ${said}`}>
              <Status of={verdict === 'broken' ? 'failed' : 'warned'} said={verdict} /> <b>{check}</b>{' '}
              <Text of={said} />
            </li>
          ))}
        </ul>
      )}
      {after !== null && <PreviewRows before={before} after={after} />}
    </article>
  )
}

function Schedules({ schedules: { isOn, next } }: { readonly schedules: LoopDocument['schedules'] }) {
  return (
    <Section title="Schedules">
      <label class="check">
        <input
          type="checkbox"
          checked={isOn}
          onChange={(event) => void send('/api/schedules', { isOn: event.currentTarget.checked })}
        />
        start workflows by the clock of this machine, while this page is served
      </label>
      {next.length === 0 ? (
        <Empty>
          No workflow has a schedule. One that says <code>{"schedule: cron('0 2 * * *')"}</code> stands here with its
          next starts.
        </Empty>
      ) : (
        <ol class="starts">
          {next.map(({ workflow, at }) => (
            <li key={`${workflow} ${at}`}>
              <Moment at={at} /> {workflow} {!isOn && <span class="muted">off</span>}
            </li>
          ))}
        </ol>
      )}
    </Section>
  )
}

interface Received {
  readonly workflows: readonly {
    readonly workflow: string
    readonly kind: string
    readonly run?: string
    readonly behind?: string
  }[]
}

function exampleOf({ source, detailType }: { readonly source: string; readonly detailType: string }): string {
  const detail = { version: 1, id: crypto.randomUUID(), entity: 'orders', source: 'shop', keys: [1], causation: [] }
  return JSON.stringify({ Source: source, DetailType: detailType, Detail: detail }, null, 2)
}

const BECAME: Readonly<Record<string, string>> = {
  started: 'started',
  pending: 'follows the run that is on',
  waiting: 'waits until minInterval is over',
  duplicate: 'has been seen before: nothing was started',
}

/** The document of the bus, sent to the bus of this machine. */
function Events({ events }: { readonly events: LoopDocument['events'] }) {
  const [first] = events
  const [text, setText] = useState(first === undefined ? '' : exampleOf(first))
  const [received, setReceived] = useState<Received | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  if (first === undefined) {
    return (
      <Section title="Events">
        <Empty>
          No workflow starts on events. One that says <code>{"on: event('shop', 'EntityUpdated')"}</code> can be tried
          here.
        </Empty>
      </Section>
    )
  }
  const submit = async () => {
    setFault(null)
    setReceived(null)
    try {
      setReceived(await send<Received>('/events', JSON.parse(text)))
    } catch (error) {
      setFault((error as Error).message)
    }
  }
  return (
    <Section title="Events">
      <div class="actions">
        {events.map((event) => (
          <button
            type="button"
            key={`${event.workflow} ${event.source} ${event.detailType}`}
            onClick={() => setText(exampleOf(event))}
          >
            {event.detailType} from {event.source} → {event.workflow}
          </button>
        ))}
      </div>
      <label class="field">
        The event, as one sends it to the bus
        <textarea rows={14} spellcheck={false} value={text} onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      <p class="actions">
        <button type="button" class="primary" onClick={() => void submit()}>
          Send
        </button>
        <span role="status">
          {received?.workflows.map(({ workflow, kind, run }) => (
            <span key={workflow}>
              {workflow} {BECAME[kind] ?? kind}{' '}
              {run !== undefined && <a href={`#/runs/${encodeURIComponent(run)}`}>{run}</a>}
            </span>
          ))}
        </span>
      </p>
      <Fault of={fault} />
    </Section>
  )
}

function Started() {
  const { data, error } = useAsked<{ readonly commands: readonly CommandDocument[] }>('/api/commands', ['commands'])
  const commands = data?.commands ?? []
  return (
    <Section title="Started by this page">
      <Fault of={error} />
      {commands.length === 0 && error === null && (
        <p class="muted">Nothing yet. What a button, an event or a schedule starts stands here, with its run.</p>
      )}
      <ul class="notes">
        {commands.map(({ id, text, run, status, said, start }) => (
          <li key={id}>
            <Status of={status} /> <Moment at={start} /> <code>{text}</code>{' '}
            {run !== null && <a href={`#/runs/${encodeURIComponent(run)}`}>{run}</a>}
            {status === 'failed' && run === null && <Fault of={said} />}
          </li>
        ))}
      </ul>
    </Section>
  )
}
