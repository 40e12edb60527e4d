import { TransientError } from '#dray/errors.ts'
import type { WorkflowEnded } from '#dray/messages/events.ts'
import { type Cause, newestCauses } from '#dray/messages/run-input.ts'
import type { FinishInput, FinishOutput } from '#dray/messages/stages.ts'
import { openItemTable } from '#dray/state/open-item-table.ts'
import type { WorkflowSlots } from '#dray/state/workflow-slots.ts'

let slots: WorkflowSlots | null = null

async function openSlots(): Promise<WorkflowSlots> {
  const [{ TableWorkflowSlots }, table] = await Promise.all([
    import('#dray/state/table-workflow-slots.ts'),
    openItemTable(),
  ])
  return new TableWorkflowSlots(table)
}

/**
 * Puts `WorkflowCompleted` or `WorkflowFailed` on the bus that `EVENT_BUS_NAME` names, so that other workflows start;
 * locally there is none. Put twice, it has one effect: its id is the run. Throws `Transient` when the bus does not take
 * it.
 */
export async function announceEnd(input: FinishInput, output: FinishOutput): Promise<void> {
  const bus = process.env.EVENT_BUS_NAME
  if (!bus) return
  const { run } = input
  const detail: WorkflowEnded = {
    version: 1,
    id: run.id,
    workflow: run.workflow,
    environment: process.env.DRAY_ENVIRONMENT,
    run: run.id,
    status: output.status,
    started_at: run.started_at,
    steps: Object.fromEntries(Object.entries(input.steps).map(([step, { status }]) => [step, status])),
    ...(output.checks === undefined ? {} : { checks: output.checks }),
    ...(output.changes === undefined ? {} : { changes: output.changes }),
    causation: newestCauses([...(await causesOf(input)), { workflow: run.workflow, run: run.id }]),
  }
  const entry = {
    EventBusName: bus,
    Source: `dray.${run.workflow}`,
    DetailType: output.status === 'success' ? 'WorkflowCompleted' : 'WorkflowFailed',
    Detail: JSON.stringify(detail),
  }
  const { putEvent } = await import('./put-event.ts')
  const fault = await putEvent(entry)
  if (fault === null) return
  throw new TransientError(
    `${entry.DetailType} of ${run.workflow} could not be put on the bus ${bus}, so no other workflow started on it: ${fault}; what the run has loaded stays loaded`,
  )
}

/** What led to a run is kept in the slot it was started from; a run from the console has none. */
async function causesOf({ run }: FinishInput): Promise<readonly Cause[]> {
  slots ??= await openSlots()
  const slot = await slots.open(run.workflow, Date.now())
  return slot.run === run.id ? (slot.request?.causation ?? []) : []
}
