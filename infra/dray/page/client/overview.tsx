import { useState } from 'preact/hooks'
import type {
  CatalogueDocument,
  ProjectDocument,
  RunDetailDocument,
  RunDocument,
  WorkflowDocument,
} from '../documents.ts'
import { Graph } from './graph.tsx'
import { Action, CommandLine, Empty, Fault, Section } from './parts.tsx'
import { usePlace } from './place.ts'
import { RunsTable } from './runs.tsx'
import { useAsked } from './server.ts'
import { Moment, plural, Status } from './words.tsx'
import { graphOf } from './workflow-graph.ts'

export interface ProjectAnswer extends ProjectDocument {
  readonly nextStarts: Readonly<Record<string, readonly number[]>>
}

const SHOWN = 12

export function Overview() {
  const project = useAsked<ProjectAnswer>('/api/project', ['project'])
  const [search, setSearch] = useState('')
  const { pasted } = usePlace()
  const { data } = project
  const all = data?.catalogue?.workflows ?? []
  const found = all.filter(({ name, steps }) =>
    [name, ...steps.map((step) => step.name)].some((one) => one.includes(search)),
  )
  return (
    <>
      <h1>Workflows</h1>
      <Fault of={project.error ?? data?.fault ?? null} />
      {all.length > SHOWN && (
        <label class="field">
          Search workflows and steps
          <input type="search" value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
        </label>
      )}
      {data === null && project.error === null && <div class="skeleton" aria-hidden="true" />}
      {data?.catalogue &&
        found
          .slice(0, SHOWN)
          .map((workflow) => (
            <Workflow
              key={workflow.name}
              workflow={workflow}
              catalogue={data.catalogue as CatalogueDocument}
              starts={data.nextStarts[workflow.name] ?? []}
            />
          ))}
      {data !== null && all.length === 0 && data.fault === null && (
        <Empty>
          The project has no workflow yet. <CommandLine text={pasted('dray add')} /> lists the tables that pipelines can
          be written for.
        </Empty>
      )}
      {found.length > SHOWN && <p class="muted">{plural(found.length - SHOWN, 'more workflow')}; search for one.</p>}
      <RunsSection />
    </>
  )
}

function RunsSection() {
  const { data, error } = useAsked<{ readonly runs: readonly RunDocument[]; readonly hasMore: boolean }>(
    '/api/runs?limit=20',
  )
  const { pasted } = usePlace()
  return (
    <Section title="Latest runs" aside={data?.hasMore ? <a href="#/runs">all runs</a> : null}>
      <Fault of={error} />
      {data === null && error === null && <div class="skeleton" aria-hidden="true" />}
      {data !== null && data.runs.length === 0 && (
        <Empty>
          Nothing has run yet. Start with <CommandLine text={pasted('dray run')} />
        </Empty>
      )}
      {data !== null && data.runs.length > 0 && <RunsTable runs={data.runs} />}
    </Section>
  )
}

function Workflow({
  workflow,
  catalogue,
  starts,
}: {
  readonly workflow: WorkflowDocument
  readonly catalogue: CatalogueDocument
  readonly starts: readonly number[]
}) {
  const { name, owner, schedules, events, minInterval } = workflow
  const { mayAct, pasted } = usePlace()
  const [hasTables, setTables] = useState(false)
  const latest = useAsked<{ readonly runs: readonly RunDocument[] }>(
    `/api/runs?workflow=${encodeURIComponent(name)}&limit=1`,
  )
  const run = latest.data?.runs[0] ?? null
  const detail = useAsked<RunDetailDocument>(run === null ? null : `/api/runs/${encodeURIComponent(run.id)}?calls=none`)
  const statuses = new Map(detail.data?.steps.map(({ name: step, status }) => [step, status]))
  const { nodes, edges } = graphOf(workflow, catalogue, { statuses, hasTables })
  return (
    <article class="card" aria-label={name}>
      <div class="head">
        <h2>{name}</h2>
        <span class="actions">
          <label class="check">
            <input type="checkbox" checked={hasTables} onChange={(event) => setTables(event.currentTarget.checked)} />
            tables
          </label>
          {mayAct ? (
            <Action label="Run" asks={{ kind: 'run', name }} />
          ) : (
            <CommandLine text={pasted(`dray run ${name}`)} />
          )}
        </span>
      </div>
      <Fault of={latest.error ?? detail.error} />
      <Graph label={`Steps of ${name}`} nodes={nodes} edges={edges} />
      <dl class="facts">
        <div>
          <dt>latest run</dt>
          <dd>
            {run === null ? (
              latest.data === null ? (
                '…'
              ) : (
                'none yet'
              )
            ) : (
              <a href={`#/runs/${run.id}`}>
                <Status of={run.status} /> <Moment at={run.start} />
              </a>
            )}
          </dd>
        </div>
        {owner !== null && (
          <div>
            <dt>owner</dt>
            <dd>{owner}</dd>
          </div>
        )}
        <div>
          <dt>schedule</dt>
          <dd>
            {schedules.length === 0
              ? 'none'
              : schedules.map(({ expression, timezone }) => `${expression} (${timezone})`).join(', ')}
          </dd>
        </div>
        {events.length > 0 && (
          <div>
            <dt>starts on</dt>
            <dd>
              {events.map(({ source, detailType }) => `${detailType} from ${source}`).join(', ')}
              {minInterval > 0 && `, ${minInterval} s after another start at the soonest`}
            </dd>
          </div>
        )}
        {starts.length > 0 && (
          <div>
            <dt>next starts</dt>
            <dd>
              <ol class="starts">
                {starts.map((at) => (
                  <li key={at}>
                    <Moment at={at} />
                  </li>
                ))}
              </ol>
            </dd>
          </div>
        )}
      </dl>
    </article>
  )
}
