import type { RunStatus, StepStatus } from './state-store.ts'

/** What a run has come to by its steps: refused where nothing but leases of other runs stood in its way. */
export function statusOfRun(steps: readonly { readonly status: StepStatus }[]): Exclude<RunStatus, 'running'> {
  if (steps.every(({ status }) => status === 'success')) return 'success'
  const blocked = steps.filter(({ status }) => status !== 'success' && status !== 'skipped')
  return blocked.length > 0 && blocked.every(({ status }) => status === 'refused') ? 'refused' : 'failed'
}
