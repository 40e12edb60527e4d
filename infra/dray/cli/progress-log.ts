import type { ProgressView, StepProgress } from '#dray-infra/runs/run-progress.ts'
import { duration, oneLine, plural } from './format.ts'

/** A line for each change of a step, for logs and pipes. Rows that pass are no change. */
export function progressLog(write: (text: string) => void): ProgressView {
  const last = new Map<string, string>()
  return {
    update(step) {
      if (step.status === 'waiting') return
      const line = `${step.status} ${step.phase}`
      if (last.get(step.name) === line) return
      last.set(step.name, line)
      write(`${step.name}: ${textOf(step)}\n`)
    },
    note: (text) => write(`${oneLine(text)}\n`),
    stop: () => {},
  }
}

function textOf(step: StepProgress): string {
  if (step.status === 'running') return oneLine(step.phase) || 'done'
  const rows = step.rowsRead > 0 ? `, ${plural(step.rowsRead, 'row')} read` : ''
  const reason = step.phase ? `: ${oneLine(step.phase)}` : ''
  return `${step.status} after ${duration(step.elapsedMs / 1000)}${rows}${reason}`
}
