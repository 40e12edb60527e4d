import type { ProgressView } from '#dray-infra/runs/run-progress.ts'
import { shown } from './output.ts'
import { progressBars } from './progress-bars.ts'
import { progressLog } from './progress-log.ts'
import type { ProgressMode } from './verb.ts'

/** How the progress of a run is shown on stderr: bars on a terminal, else lines. */
export function openProgress({ progress }: { readonly progress: ProgressMode }, stream = process.stderr): ProgressView {
  if (progress === 'none') return { update() {}, note() {}, stop() {} }
  if (progress === 'auto' && stream.isTTY) return progressBars(stream)
  return progressLog((text) => stream.write(shown(text)))
}
