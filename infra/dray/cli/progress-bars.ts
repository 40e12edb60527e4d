import { MultiBar, type SingleBar } from 'cli-progress'
import type { ProgressView, StepProgress } from '#dray-infra/runs/run-progress.ts'
import { count, duration, oneLine, status } from './format.ts'

const RESOLUTION = 1000

/** A name, a bar of 24, its share and what a step says of itself; where there is less room, the bar is shorter. */
const WHOLE_LINE = 94
const LONGEST_BAR = 24

/** The bars have the terminal cut lines off at its edge; what is logged above them is whole, and covers theirs. */
const logged = (text: string) => `\u001b[?7h${text}\u001b[0K\u001b[?7l\n`

/** A bar for each step, on a terminal. */
export function progressBars(stream: NodeJS.WriteStream): ProgressView {
  const bars = new Map<string, SingleBar>()
  const container = new MultiBar({
    format: ' {name} {bar} {percentage}%  {text}',
    stream,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: Math.max(8, Math.min(LONGEST_BAR, LONGEST_BAR - WHOLE_LINE + (stream.columns ?? WHOLE_LINE))),
    autopadding: true,
    hideCursor: true,
    gracefulExit: false,
    emptyOnZero: true,
  })
  const draw = (step: StepProgress) => {
    const bar = bars.get(step.name) ?? container.create(RESOLUTION, 0, { name: step.name.padEnd(12), text: '' })
    bars.set(step.name, bar)
    bar.update(Math.round(step.fraction * RESOLUTION), { text: textOf(step, stream) })
  }
  const waiting: StepProgress[] = []
  return {
    update(step) {
      // Of a run that is refused before its first step no bar is left behind.
      if (step.status === 'waiting' && bars.size === 0) waiting.push(step)
      else for (const one of [...waiting.splice(0), step]) draw(one)
    },
    note: (text) => container.log(logged(oneLine(text))),
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
