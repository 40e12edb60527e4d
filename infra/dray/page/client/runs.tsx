import { useState } from 'preact/hooks'
import type { RunDocument } from '../documents.ts'
import { CommandLine, Empty, Fault, Wide } from './parts.tsx'
import { usePlace } from './place.ts'
import { useAsked } from './server.ts'
import { VirtualRows } from './virtual-rows.tsx'
import { count, duration, Moment, Status, Text } from './words.tsx'

export function RunsTable({ runs }: { readonly runs: readonly RunDocument[] }) {
  return (
    <Wide label="Runs">
      <table>
        <thead>
          <tr>
            <th scope="col">status</th>
            <th scope="col">run</th>
            <th scope="col">workflow</th>
            <th scope="col">started</th>
            <th scope="col" class="right">
              took
            </th>
            <th scope="col" class="right">
              rows
            </th>
            <th scope="col" class="right">
              failed rows
            </th>
            <th scope="col">by</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <tr key={run.id}>
              <RunCells run={run} />
            </tr>
          ))}
        </tbody>
      </table>
    </Wide>
  )
}

function RunCells({ run }: { readonly run: RunDocument }) {
  return (
    <>
      <td>
        <Status of={run.status} />
      </td>
      <td>
        <a href={`#/runs/${encodeURIComponent(run.id)}`}>{run.id}</a>
      </td>
      <td>
        <Text of={whatRan(run)} />
      </td>
      <td>
        <Moment at={run.start} />
      </td>
      <td class="right number">{run.seconds === null ? '–' : duration(run.seconds)}</td>
      <td class="right number">{count(run.processed)}</td>
      <td class="right number">{count(run.failed)}</td>
      <td>
        <Text of={run.trigger} />
      </td>
    </>
  )
}

export function whatRan({ workflow, only }: RunDocument): string {
  return only === null ? workflow : `${only.join(', ')} of ${workflow}`
}

const FIRST = 200
const ALL = 10_000
const ROW = 34

/** Thousands of runs, of which those are drawn that are seen. */
export function Runs() {
  const [limit, setLimit] = useState(FIRST)
  const [search, setSearch] = useState('')
  const { data, error } = useAsked<{ readonly runs: readonly RunDocument[]; readonly hasMore: boolean }>(
    `/api/runs?limit=${limit}`,
  )
  const { pasted } = usePlace()
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  const found = (data?.runs ?? []).filter((run) => {
    const text = `${run.id} ${whatRan(run)} ${run.status} ${run.trigger} ${run.error ?? ''}`.toLowerCase()
    return words.every((word) => text.includes(word))
  })
  return (
    <>
      <h1>Runs</h1>
      <Fault of={error} />
      <div class="filters" hidden={data !== null && data.runs.length === 0}>
        <label class="field">
          Search, e.g. failed orders
          <input type="search" value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
        </label>
        {data?.hasMore && (
          <button type="button" onClick={() => setLimit(ALL)}>
            Search all runs
          </button>
        )}
        <span class="muted" role="status">
          {data === null
            ? error === null
              ? 'Reading …'
              : 'not read'
            : `${count(found.length)} of ${count(data.runs.length)}${data.hasMore ? ' latest' : ''} runs`}
        </span>
      </div>
      {data !== null && data.runs.length === 0 && (
        <Empty>
          Nothing has run yet. Start with <CommandLine text={pasted('dray run')} />
        </Empty>
      )}
      {data !== null && data.runs.length > 0 && found.length === 0 && (
        <Empty>No run has these words{data.hasMore && ' among the latest; search all runs'}.</Empty>
      )}
      {found.length > 0 && (
        <VirtualRows label="Runs" total={found.length} rowHeight={ROW} most={20}>
          {(place) => {
            const run = found[place] as RunDocument
            return (
              <a class="run-line" href={`#/runs/${encodeURIComponent(run.id)}`}>
                <Status of={run.status} />
                <span class="grow">
                  <Text of={whatRan(run)} />
                </span>
                <Moment at={run.start} />
                <span class="right number took">{run.seconds === null ? '–' : duration(run.seconds)}</span>
                <span class="right number rows">{count(run.processed)} rows</span>
              </a>
            )
          }}
        </VirtualRows>
      )}
    </>
  )
}
