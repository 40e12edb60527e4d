import { useEffect, useState } from 'preact/hooks'
import type { RunDetailDocument } from '../documents.ts'
import { Section } from './parts.tsx'
import { type TimelineRow, timelineRows } from './timeline-rows.ts'
import { VirtualRows } from './virtual-rows.tsx'
import { count, duration, plural, Text } from './words.tsx'

const ROW = 26
const MOST = 22
/** Steps of so few partitions are unfolded from the start. */
const FEW = 8
const TICKS = 5
const TICK_MS = 500

function useNow(isRunning: boolean): number {
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    if (!isRunning) return
    const timer = setInterval(() => setNow(Date.now()), TICK_MS)
    return () => clearInterval(timer)
  }, [isRunning])
  return now
}

const LEGEND = ['plan', 'extract', 'transform', 'load', 'task', 'partitions', 'failed'] as const

/** What was worked on when: steps and partitions, with retries, waits and the critical path. */
export function Timeline({
  detail,
  chosen,
  onChoose,
}: {
  readonly detail: RunDetailDocument
  readonly chosen: { readonly step: string; readonly partition: number | null } | null
  readonly onChoose: (row: { readonly step: string; readonly partition: number | null }) => void
}) {
  const { run, partitions } = detail
  const now = useNow(run.status === 'running')
  const [folds, setFolds] = useState<ReadonlyMap<string, boolean>>(new Map())
  const ofSteps = Map.groupBy(partitions, ({ pipeline }) => pipeline)
  const isUnfolded = (step: string) => folds.get(step) ?? (ofSteps.get(step)?.length ?? 0) <= FEW
  const unfolded = new Set(detail.steps.map(({ name }) => name).filter(isUnfolded))
  const rows = timelineRows(detail, unfolded, now)
  const end = run.end ?? now
  const scale = { start: run.start, length: Math.max(1, end - run.start) }
  const turn = (step: string) => setFolds(new Map([...folds, [step, !isUnfolded(step)]]))
  return (
    <Section title="Timeline" aside={<Legend />}>
      <div class="axis" aria-hidden="true">
        <span />
        <span class="ticks">
          {Array.from({ length: TICKS }, (_, place) => (
            <span key={place}>{duration((scale.length / 1000 / (TICKS - 1)) * place)}</span>
          ))}
        </span>
      </div>
      <VirtualRows label="Steps and partitions in time" total={rows.length} rowHeight={ROW} most={MOST}>
        {(place) => {
          const row = rows[place] as TimelineRow
          return (
            <Row
              row={row}
              scale={scale}
              isChosen={chosen?.step === row.step && chosen.partition === row.partition}
              isUnfolded={unfolded.has(row.step)}
              onTurn={() => turn(row.step)}
              onChoose={() => onChoose(row)}
            />
          )
        }}
      </VirtualRows>
    </Section>
  )
}

function Legend() {
  return (
    <ul class="legend">
      {LEGEND.map((kind) => (
        <li key={kind}>
          <span class={`swatch ${kind}`} aria-hidden="true" /> {kind === 'plan' ? 'plan, commit' : kind}
        </li>
      ))}
      <li>
        <span class="critical" aria-hidden="true" /> critical path
      </li>
    </ul>
  )
}

interface Scale {
  readonly start: number
  readonly length: number
}

function Row({
  row,
  scale,
  isChosen,
  isUnfolded,
  onTurn,
  onChoose,
}: {
  readonly row: TimelineRow
  readonly scale: Scale
  readonly isChosen: boolean
  readonly isUnfolded: boolean
  readonly onTurn: () => void
  readonly onChoose: () => void
}) {
  const name = row.partition === null ? row.step : `partition ${row.partition + 1}`
  return (
    <div class={`line ${row.partition === null ? 'step' : 'partition'}${isChosen ? ' chosen' : ''}`}>
      <span class="label">
        {row.partition === null && row.partitions > 0 ? (
          <button
            type="button"
            class="fold"
            aria-expanded={isUnfolded}
            aria-label={`${plural(row.partitions, 'partition')} of ${row.step}`}
            onClick={onTurn}
          >
            {isUnfolded ? '▾' : '▸'}
          </button>
        ) : (
          <span class="fold" />
        )}
        <button type="button" class="choose" aria-pressed={isChosen} aria-label={spoken(row, name)} onClick={onChoose}>
          <span class={`dot ${row.status}`} aria-hidden="true" />
          <Text of={name} />
          {row.isCritical && <span class="critical" title="on the critical path" />}
          {row.retries > 0 && <span class="muted"> {plural(row.retries, 'retry').replace('retrys', 'retries')}</span>}
        </button>
        <span class="muted number rows">{row.read > 0 ? count(row.read) : ''}</span>
      </span>
      <span class="bars" aria-hidden="true">
        {row.waits !== null && <span class="wait" style={placeOf(row.waits, scale)} />}
        {row.bars.map((bar) => (
          <span
            key={`${bar.kind} ${bar.start}`}
            class={`bar ${bar.kind}`}
            title={bar.title}
            style={placeOf(bar, scale)}
          />
        ))}
      </span>
    </div>
  )
}

function placeOf({ start, end }: { readonly start: number; readonly end: number }, scale: Scale) {
  const share = (milliseconds: number) => `${((milliseconds / scale.length) * 100).toFixed(3)}%`
  return { left: share(Math.max(0, start - scale.start)), width: share(Math.max(0, end - start)) }
}

function spoken({ status, bars, isCritical, retries }: TimelineRow, name: string): string {
  const parts = bars.map(({ title }) => title)
  return [
    name,
    status,
    ...parts,
    ...(retries > 0 ? [`${retries} retries`] : []),
    ...(isCritical ? ['on the critical path'] : []),
  ].join(', ')
}
