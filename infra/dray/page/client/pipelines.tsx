import { useMemo } from 'preact/hooks'
import type {
  CatalogueDocument,
  CheckedDocument,
  CopiesDocument,
  HistoryPoint,
  PipelineStateDocument,
  PreviewDocument,
  UnitDocument,
} from '../documents.ts'
import { Chart } from './chart.tsx'
import { Facts, lagOf } from './facts.tsx'
import { Checks, Looks, Notes } from './looks.tsx'
import type { ProjectAnswer } from './overview.tsx'
import { Action, CommandLine, Empty, Fault, Section, Wide } from './parts.tsx'
import { usePlace } from './place.ts'
import { PreviewRows } from './preview-rows.tsx'
import { useAsked } from './server.ts'
import { unitNamed } from './unit-named.ts'
import { withCopies } from './with-copies.ts'
import { count, duration, Moment, plural, Status, Text } from './words.tsx'

interface States {
  readonly states: readonly PipelineStateDocument[]
  readonly now: number
}

export function Pipelines() {
  const project = useAsked<ProjectAnswer>('/api/project', ['project'])
  const { data, error } = useAsked<States>('/api/pipelines')
  const copies = useAsked<CopiesDocument>('/api/copies')
  const { pasted } = usePlace()
  const catalogue = known(project.data, copies.data)
  const states = new Map(data?.states.map((state) => [state.pipeline, state]))
  const units = (project.data?.catalogue?.units ?? [])
    .filter(({ kind }) => kind !== 'reconcile')
    .flatMap((unit) => [unit, ...(catalogue === null ? [] : tablesOf(unit, { catalogue, states }))])
  return (
    <>
      <h1>Pipelines</h1>
      <Fault of={project.error ?? project.data?.fault ?? null} />
      <Fault of={error} />
      <Fault of={copies.error} />
      {project.data !== null && units.length === 0 && (
        <Empty>
          There is no pipeline yet. <CommandLine text={pasted('dray add')} /> lists the tables that one can be written
          for.
        </Empty>
      )}
      {units.length > 0 && (
        <Wide label="Pipelines and tasks">
          <table>
            <thead>
              <tr>
                <th scope="col">name</th>
                <th scope="col">reads</th>
                <th scope="col">writes</th>
                <th scope="col">last_run</th>
                <th scope="col" class="right">
                  lag
                </th>
                <th scope="col">lease</th>
                <th scope="col" class="right">
                  checks
                </th>
                <th scope="col">owner</th>
              </tr>
            </thead>
            <tbody>
              {units.map((unit) => {
                const state = states.get(unit.name)
                const lag = lagOf(state?.lastRun, data?.now ?? 0)
                return (
                  <tr key={unit.name}>
                    <th scope="row">
                      <a href={`#/pipelines/${encodeURIComponent(unit.name)}`}>{unit.name}</a>
                    </th>
                    <td>{unit.reads.join(', ') || '–'}</td>
                    <td>{unit.writes.join(', ') || '–'}</td>
                    <td class="number">
                      {data === null ? '…' : (state?.lastRun ?? (unit.isWindowed ? 'never' : '–'))}
                    </td>
                    <td class="right number">{lag === null ? '–' : duration(lag)}</td>
                    <td>{data === null ? '…' : (state?.leaseOwner ?? 'free')}</td>
                    <td class="right number">{count(unit.checks.length)}</td>
                    <td>{unit.owner === null ? '–' : <Text of={unit.owner} />}</td>
                  </tr>
                )
              })}
            </tbody>
          </table>
        </Wide>
      )}
    </>
  )
}

function known(project: ProjectAnswer | null, copies: CopiesDocument | null): CatalogueDocument | null {
  return project === null || project.catalogue === null ? null : withCopies(project.catalogue, copies)
}

/** The tables of a replica that have run. */
function tablesOf(
  { kind, name }: UnitDocument,
  known: { readonly catalogue: CatalogueDocument; readonly states: ReadonlyMap<string, unknown> },
): readonly UnitDocument[] {
  if (kind !== 'replica') return []
  const tables = [...known.states.keys()].filter((one) => one.startsWith(`${name}/`)).sort()
  return tables.flatMap((table) => unitNamed(known.catalogue, table) ?? [])
}

export function Pipeline({ name }: { readonly name: string }) {
  const project = useAsked<ProjectAnswer>('/api/project', ['project'])
  const { data, error } = useAsked<States>('/api/pipelines')
  const copies = useAsked<CopiesDocument>('/api/copies')
  const { mayAct, pasted, env } = usePlace()
  const catalogue = known(project.data, copies.data)
  const unit = catalogue === null ? undefined : unitNamed(catalogue, name)
  if (project.error !== null && unit === undefined) return <Fault of={project.error} />
  if (project.data !== null && unit === undefined) return <Empty>There is no pipeline or task {name}.</Empty>
  if (unit === undefined) return <div class="skeleton" aria-hidden="true" />
  const state = data?.states.find(({ pipeline }) => pipeline === name) ?? null
  const isLocal = env === 'local'
  const hasRows = unit.kind === 'pipeline' || unit.kind === 'table'
  return (
    <>
      <div class="head">
        <h1>{name}</h1>
        <span class="actions">
          {mayAct && <Action label="Run" asks={{ kind: 'run', name }} />}
          <CommandLine text={pasted(`dray run ${name}`)} />
        </span>
      </div>
      {unit.comment !== null && (
        <p class="comment">
          <Text of={unit.comment} />
        </p>
      )}
      <Fault of={unit.fault} />
      <Fault of={error} />
      <Fault of={copies.error} />
      <Facts unit={unit} state={state} now={data?.now ?? null} />
      {hasRows && isLocal && <Drift name={name} />}
      <History name={name} kind={unit.kind} />
      {hasRows && isLocal && <LookAhead name={name} />}
      {hasRows && !isLocal && <Looks name={name} writes={unit.kind === 'table' ? [name] : unit.writes} />}
    </>
  )
}

/** What the tables are like now, beside the models. */
function Drift({ name }: { readonly name: string }) {
  const { data, error } = useAsked<{ readonly checks: readonly CheckedDocument[] }>(
    `/api/examine?pipeline=${encodeURIComponent(name)}`,
    ['project'],
  )
  return (
    <Section title="Tables and models">
      <Fault of={error} />
      {data === null && error === null && <p class="muted">Looking at the tables …</p>}
      {data !== null && <Checks checks={data.checks} />}
    </Section>
  )
}

const seconds = (value: number) => duration(value)

/** What a step that reads rows counts; a task has none. */
const ROW_COUNTS = [
  { title: 'rows read', name: 'read' },
  { title: 'quarantined', name: 'quarantined' },
] as const

function History({ name, kind }: { readonly name: string; readonly kind: UnitDocument['kind'] }) {
  const { data, error } = useAsked<{ readonly points: readonly HistoryPoint[] }>(
    `/api/history?step=${encodeURIComponent(name)}`,
  )
  const { pasted } = usePlace()
  const counts = kind === 'task' ? [] : ROW_COUNTS
  const points = data?.points ?? []
  const last = points.at(-1)
  const columns = useMemo(
    () => ({
      times: points.map(({ start }) => start / 1000),
      seconds: points.map((point) => point.seconds),
      read: points.map(({ read }) => read),
      quarantined: points.map(({ quarantined }) => quarantined),
      lag: points.map(({ lag }) => lag),
    }),
    [data],
  )
  if (data !== null && last === undefined && error === null) {
    return (
      <Section title="History">
        <Empty>
          It has not run yet: <CommandLine text={pasted(`dray run ${name}`)} />
        </Empty>
      </Section>
    )
  }
  const failed = points.filter(({ status }) => status === 'failed').length
  return (
    <Section
      title="History"
      aside={
        last && (
          <span class="muted">
            {plural(points.length, 'run')}, {count(failed)} failed, the latest{' '}
            <a href={`#/runs/${encodeURIComponent(last.run)}`}>
              <Status of={last.status} /> <Moment at={last.start} />
            </a>
          </span>
        )
      }
    >
      <Fault of={error} />
      {points.length === 1 && last !== undefined && (
        <p class="muted">
          One run so far: {last.seconds === null ? '–' : duration(last.seconds)}, {plural(last.read, 'row')} read,{' '}
          {count(last.quarantined)} quarantined. From the second on there are charts.
        </p>
      )}
      <div class={points.length > 1 ? 'charts' : ''}>
        {last !== undefined && points.length > 1 && (
          <>
            <Chart
              title="duration"
              times={columns.times}
              values={columns.seconds}
              said={last.seconds === null ? '–' : duration(last.seconds)}
              format={seconds}
            />
            {counts.map(({ title, name }) => (
              <Chart
                key={name}
                title={title}
                times={columns.times}
                values={columns[name]}
                said={count(last[name])}
                format={count}
                isCount
              />
            ))}
            {columns.lag.some((lag) => lag !== null) && (
              <Chart
                title="lag"
                times={columns.times}
                values={columns.lag}
                said={last.lag === null ? '–' : duration(last.lag)}
                format={seconds}
              />
            )}
          </>
        )}
      </div>
    </Section>
  )
}

/** What the transform makes of the next rows. */
function LookAhead({ name }: { readonly name: string }) {
  const { data, error } = useAsked<PreviewDocument | null>(`/api/preview?pipeline=${encodeURIComponent(name)}`, [
    'project',
  ])
  const { pasted } = usePlace()
  return (
    <Section title="Preview" aside={<CommandLine text={pasted(`dray preview ${name}`)} />}>
      <Fault of={error} />
      {data === null && error === null && <p class="muted">Reading the next rows …</p>}
      {data != null && (
        <>
          <p class="muted">
            The transform was seen to read {data.reads.join(', ') || 'nothing'} and to write{' '}
            {data.writes.join(', ') || 'nothing'}.
          </p>
          <PreviewRows before={null} after={data} />
          <Notes notes={data.notes} />
        </>
      )}
    </Section>
  )
}
