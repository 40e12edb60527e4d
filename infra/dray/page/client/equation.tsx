import type { RunStepDocument } from '../documents.ts'
import { Wide } from './parts.tsx'
import { type RowCounts, rowTerms } from './row-terms.ts'
import { count, duration, Status, Text } from './words.tsx'

/** What was read, and what became of it, as one bar: its parts are as long as the whole. */
export function Equation({ counts, label }: { readonly counts: RowCounts; readonly label: string }) {
  const terms = rowTerms.filter((term) => counts[term] > 0)
  const said = terms.map((term) => `${count(counts[term])} ${term}`).join(', ')
  return (
    <span class="equation" role="img" aria-label={`${label}: ${count(counts.read)} read = ${said || 'nothing'}`}>
      {terms.map((term) => (
        <span
          key={term}
          class={`part ${term}`}
          title={`${count(counts[term])} ${term}`}
          style={{ flexGrow: counts[term] }}
        />
      ))}
    </span>
  )
}

function secondsOf({ executionTimeSeconds, start, end }: RunStepDocument): number | null {
  if (executionTimeSeconds != null) return executionTimeSeconds
  return start !== null && end !== null ? (end - start) / 1000 : null
}

const RARE = new Set<string>(['left', 'deleted', 'duplicate', 'filtered'])

/** The row equation of each step, in numbers and as a picture. */
export function Equations({ steps }: { readonly steps: readonly RunStepDocument[] }) {
  const terms = rowTerms.filter((term) => !RARE.has(term) || steps.some((step) => (step[term] ?? 0) > 0))
  return (
    <Wide label="Rows of the steps">
      <table class="equations">
        <thead>
          <tr>
            <th scope="col">step</th>
            <th scope="col">status</th>
            <th scope="col" class="right">
              read
            </th>
            <th scope="col">became</th>
            {terms.map((term) => (
              <th scope="col" class="right" key={term}>
                <span class={`swatch ${term}`} aria-hidden="true" /> {term}
              </th>
            ))}
            <th scope="col" class="right">
              took
            </th>
            <th scope="col" class="right">
              rows/s
            </th>
          </tr>
        </thead>
        <tbody>
          {steps.map((step) => {
            const seconds = secondsOf(step)
            const counts = countsOf(step)
            return (
              <tr key={step.name}>
                <th scope="row">
                  <a href={`#/pipelines/${encodeURIComponent(step.name)}`}>
                    <Text of={step.name} />
                  </a>
                </th>
                <td>
                  <Status of={step.status} />
                </td>
                <td class="right number">{count(counts.read)}</td>
                <td>
                  <Equation counts={counts} label={step.name} />
                </td>
                {terms.map((term) => (
                  <td class={`right number${counts[term] === 0 ? ' zero' : ''}`} key={term}>
                    {count(counts[term])}
                  </td>
                ))}
                <td class="right number">{seconds === null ? '–' : duration(seconds)}</td>
                <td class="right number">{seconds && counts.read > 0 ? count(counts.read / seconds) : '–'}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </Wide>
  )
}

export function countsOf(step: Partial<RowCounts>): RowCounts {
  return Object.fromEntries(
    ['read' as const, ...rowTerms].map((term) => [term, step[term] ?? 0]),
  ) as unknown as RowCounts
}
