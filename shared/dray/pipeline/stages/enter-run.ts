import type { TablesInput } from '#dray/messages/stages.ts'
import type { Services } from '../services.ts'

/** Enters the run in the state; whichever of its steps comes first does. */
export async function enterRun(
  { run, mode = null, only = null, tables = null }: Pick<TablesInput, 'run' | 'mode' | 'only' | 'tables'>,
  { state, runner }: Services,
): Promise<void> {
  // Of a run of many steps nearly all find it entered.
  if ((await state.runRecord(run.id)) !== null) return
  await state.startRun({
    id: run.id,
    workflow: run.workflow,
    startTime: Date.parse(run.started_at),
    runner,
    trigger: run.trigger,
    mode: mode === null ? null : JSON.stringify(mode),
    only,
    tables,
  })
}
