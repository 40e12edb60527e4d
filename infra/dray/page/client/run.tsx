import { useState } from 'preact/hooks'
import type { CommandDocument } from '../commands.ts'
import type { RunDetailDocument } from '../documents.ts'
import { Comparison } from './comparison.tsx'
import { Equations } from './equation.tsx'
import { Failures } from './failure.tsx'
import { LogLines } from './log.tsx'
import { Action, CommandLine, Empty, Fault, Section } from './parts.tsx'
import { usePlace } from './place.ts'
import { whatRan } from './runs.tsx'
import { useAsked } from './server.ts'
import { Timeline } from './timeline.tsx'
import { count, duration, Moment, Status, Text } from './words.tsx'

export function Run({ id, other }: { readonly id: string; readonly other: string | null }) {
  const { data, error } = useAsked<RunDetailDocument | { readonly run: null }>(`/api/runs/${encodeURIComponent(id)}`)
  const [chosen, setChosen] = useState<{ readonly step: string; readonly partition: number | null } | null>(null)
  if (data === null || data.run === null) return <NotYet id={id} error={error} isMissing={data !== null} />
  const { steps, cost } = data
  const notes = steps.flatMap(({ name, notes: its }) => (its ?? []).map((note) => ({ name, note })))
  const checks = steps.flatMap(({ name, checks: its }) => (its ?? []).map((check) => ({ step: name, ...check })))
  return (
    <>
      <RunHead detail={data} />
      <Fault of={error} />
      {other !== null && <Comparison one={data} other={other} />}
      <Failures detail={data} />
      {data.logFault !== null && (
        <Fault of={`The log cannot be read, so the bars are those of whole steps: ${data.logFault}`} />
      )}
      <Timeline detail={data} chosen={chosen} onChoose={setChosen} />
      {chosen !== null && (
        <Section
          title={`Log of ${chosen.step}${chosen.partition === null ? '' : `, partition ${chosen.partition + 1}`}`}
          aside={
            <button type="button" class="quiet" onClick={() => setChosen(null)}>
              close
            </button>
          }
        >
          <LogLines run={id} step={chosen.step} partition={chosen.partition} most={40} />
        </Section>
      )}
      <Section title="Rows">
        <Equations steps={steps} />
      </Section>
      {cost !== null && (
        <p class="cost">
          It cost <b class="number">{cost.usDollars.toFixed(4)}</b> US dollars by its {count(cost.calls)} calls
          {cost.planned !== null && `; the plan said ${cost.planned.toFixed(4)}`}.
        </p>
      )}
      {checks.length > 0 && (
        <Section title="Checks">
          <ul class="notes">
            {checks.map(({ step, name, table, status, said }) => (
              <li key={`${step} ${table} ${name}`}>
                <Status of={status} /> <Text of={`${name} of ${table}`} />
                {said !== null && <Text of={`: ${said}`} />}
              </li>
            ))}
          </ul>
        </Section>
      )}
      {notes.length > 0 && (
        <Section title="Notes">
          <ul class="notes">
            {notes.map(({ name, note }) => (
              <li key={`${name} ${note}`}>
                <b>{name}</b> <Text of={note} />
              </li>
            ))}
          </ul>
        </Section>
      )}
      <Section title="Log of the run">
        <LogLines run={id} step={null} partition={null} most={6} />
      </Section>
    </>
  )
}

function RunHead({ detail: { run } }: { readonly detail: RunDetailDocument }) {
  const { mayAct, pasted } = usePlace()
  return (
    <div class="run-head">
      <h1>
        <Text of={whatRan(run)} />
      </h1>
      <p class="summary" aria-live="polite">
        <Status of={run.status} /> {run.seconds !== null && <>in {duration(run.seconds)}</>} · started{' '}
        <Moment at={run.start} /> · <Text of={run.trigger} /> · <span class="number">{count(run.processed)}</span> rows
        {run.failed > 0 && (
          <>
            , <span class="number">{count(run.failed)}</span> failed
          </>
        )}
      </p>
      <p class="actions">
        <CommandLine text={pasted(`dray runs show ${run.id}`)} />
        {run.status === 'running' && mayAct && (
          <Action
            label="Stop"
            asks={{ kind: 'stop', run: run.id }}
            confirm="End it? What has not landed whole is rolled back."
          />
        )}
        {run.status !== 'running' && (
          <a href={`#/runs/${encodeURIComponent(run.id)}/compare`}>Compare with another run</a>
        )}
      </p>
    </div>
  )
}

/** A run that the page has started is known before it is recorded. */
function NotYet({
  id,
  error,
  isMissing,
}: {
  readonly id: string
  readonly error: string | null
  readonly isMissing: boolean
}) {
  const { pasted } = usePlace()
  const { data } = useAsked<{ readonly commands: readonly CommandDocument[] }>('/api/commands', ['commands'])
  const command = data?.commands.find(({ run }) => run === id)
  if (command === undefined && isMissing) {
    return (
      <Empty>
        There is no run {id}, or it has expired. <CommandLine text={pasted('dray runs')} />
      </Empty>
    )
  }
  if (command === undefined) return error === null ? <div class="skeleton" aria-hidden="true" /> : <Fault of={error} />
  return (
    <>
      <h1>{command.status === 'failed' ? 'It did not start' : 'Starting …'}</h1>
      <p>
        <CommandLine text={command.text} />
      </p>
      {command.status === 'failed' && <Fault of={command.said} />}
    </>
  )
}
