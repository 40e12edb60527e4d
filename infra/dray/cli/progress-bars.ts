import { MultiBar, type SingleBar } from 'cli-progress'
import type { ProgressView, StepProgress } from '#dray-infra/runs/run-progress.ts'
import { count, duration, oneLine, status } from './format.ts'

const RESOLUTION = 1000

/** A bar for each step, on a terminal. */
export function progressBars(stream: NodeJS.WriteStream): ProgressView {
  const bars = new Map<string, SingleBar>()
  const container = new MultiBar({
    format: ' {name} {bar} {percentage}%  {text}',
    stream,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 24,
    autopadding: true,
    hideCursor: true,
    gracefulExit: false,
    emptyOnZero: true,
  })
  return {
    update(step) {
      const bar = bars.get(step.name) ?? container.create(RESOLUTION, 0, { name: step.name.padEnd(12), text: '' })
      bars.set(step.name, bar)
      bar.update(Math.round(step.fraction * RESOLUTION), { text: textOf(step, stream) })
    },
    note: (text) => container.log(`${oneLine(text)}\n`),
    stop: () => container.stop(),
  }
}

function textOf(step: StepProgress, stream: NodeJS.WriteStream): string {
  if (step.status === 'waiting') return status('waiting', stream)
  const rows = Math.max(step.rowsRead, step.rowsLoaded)
  const parts = [status(step.status, stream), duration(step.elapsedMs / 1000)]
  if (rows > 0) parts.push(`${count(rows)} rows`)
  if (step.phase) parts.push(oneLine(step.phase).slice(0, 60))
  return parts.join('  ')
}
