import type { RunDetailDocument, RunDocument, RunStepDocument } from '../documents.ts'
import { countsOf, Equation } from './equation.tsx'
import { Fault, Section, Wide } from './parts.tsx'
import { useAsked } from './server.ts'
import { count, duration, Status, Text } from './words.tsx'

/** A run beside another one of the same workflow. */
export function Comparison({ one, other }: { readonly one: RunDetailDocument; readonly other: string }) {
  const { id, workflow } = one.run
  const list = useAsked<{ readonly runs: readonly RunDocument[] }>(
    `/api/runs?workflow=${encodeURIComponent(workflow)}&limit=50`,
  )
  const candidates = (list.data?.runs ?? []).filter((run) => run.id !== id)
  const before = candidates.find(({ start }) => start < one.run.start) ?? candidates[0]
  const chosen = other === '' ? (before?.id ?? null) : other
  const { data, error } = useAsked<RunDetailDocument>(
    chosen === null ? null : `/api/runs/${encodeURIComponent(chosen)}`,
  )
  return (
    <Section title="Beside another run" aside={<a href={`#/runs/${encodeURIComponent(id)}`}>close</a>}>
      {list.data !== null && candidates.length === 0 && <p class="muted">There is no other run of {workflow} yet.</p>}
      {chosen !== null && (
        <label class="field">
          The other run
          <select
            value={chosen}
            onChange={(event) => {
              location.hash = `#/runs/${encodeURIComponent(id)}/compare/${encodeURIComponent(event.currentTarget.value)}`
            }}
          >
            {candidates.map((run) => (
              <option key={run.id} value={run.id}>
                {run.id} {run.status}
              </option>
            ))}
          </select>
        </label>
      )}
      <Fault of={list.error ?? error} />
      {data !== null && <Compared one={one} other={data} />}
    </Section>
  )
}

const TERMS = ['read', 'inserted', 'updated', 'unchanged', 'quarantined'] as const

function Compared({ one, other }: { readonly one: RunDetailDocument; readonly other: RunDetailDocument }) {
  const names = [...new Set([...one.steps, ...other.steps].map(({ name }) => name))]
  const stepOf = (detail: RunDetailDocument, name: string) => detail.steps.find((step) => step.name === name)
  return (
    <Wide label="Two runs beside each other">
      <table>
        <thead>
          <tr>
            <th scope="col">step</th>
            <th scope="col">run</th>
            <th scope="col">status</th>
            <th scope="col" class="right">
              took
            </th>
            {TERMS.map((term) => (
              <th scope="col" class="right" key={term}>
                {term}
              </th>
            ))}
            <th scope="col">became</th>
          </tr>
        </thead>
        <tbody>
          {names.flatMap((name) => {
            const sides = [one, other].map((detail) => ({ run: detail.run.id, step: stepOf(detail, name) }))
            return [
              ...sides.map(({ run, step }, place) => (
                <Side key={`${name} ${run}`} name={name} run={run} step={step} isFirst={place === 0} />
              )),
              <Difference key={`${name} difference`} one={sides[0]?.step} other={sides[1]?.step} />,
            ]
          })}
        </tbody>
      </table>
    </Wide>
  )
}

function Side({
  name,
  run,
  step,
  isFirst,
}: {
  readonly name: string
  readonly run: string
  readonly step: RunStepDocument | undefined
  readonly isFirst: boolean
}) {
  const counts = countsOf(step ?? {})
  const seconds = secondsOf(step)
  return (
    <tr class="goes-on">
      {isFirst ? (
        <th scope="row">
          <Text of={name} />
        </th>
      ) : (
        <td />
      )}
      <td>{run}</td>
      <td>{step === undefined ? '–' : <Status of={step.status} />}</td>
      <td class="right number">{seconds === null ? '–' : duration(seconds)}</td>
      {TERMS.map((term) => (
        <td class={`right number${counts[term] === 0 ? ' zero' : ''}`} key={term}>
          {count(counts[term])}
        </td>
      ))}
      <td>
        <Equation counts={counts} label={`${name} in ${run}`} />
      </td>
    </tr>
  )
}

/** What the first run has more, or less, than the other. */
function Difference({
  one,
  other,
}: {
  readonly one: RunStepDocument | undefined
  readonly other: RunStepDocument | undefined
}) {
  const [counts, others] = [countsOf(one ?? {}), countsOf(other ?? {})]
  const [seconds, otherSeconds] = [secondsOf(one), secondsOf(other)]
  return (
    <tr class="difference">
      <td />
      <td colSpan={2}>difference</td>
      <td class="right number">
        {seconds !== null && otherSeconds !== null ? signed(seconds - otherSeconds, duration) : ''}
      </td>
      {TERMS.map((term) => (
        <td class="right number" key={term}>
          {signed(counts[term] - others[term], count)}
        </td>
      ))}
      <td />
    </tr>
  )
}

function signed(value: number, format: (value: number) => string): string {
  return value === 0 ? '' : `${value > 0 ? '+' : '−'}${format(Math.abs(value))}`
}

function secondsOf(step: RunStepDocument | undefined): number | null {
  return step?.start != null && step.end !== null ? (step.end - step.start) / 1000 : null
}
