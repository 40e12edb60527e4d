import type { TablesInput } from '#dray/messages/stages.ts'
import type { StateStore } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'

/** The run that a process has entered last, by its state: steps of a run, and tables of a replica, share one. */
const entered = new WeakMap<StateStore, string>()

/** Enters the run in the state; whichever of its steps comes first does. */
export async function enterRun(
  { run, mode = null, only = null, tables = null }: Pick<TablesInput, 'run' | 'mode' | 'only' | 'tables'>,
  { state, runner }: Services,
): Promise<void> {
  if (entered.get(state) === run.id) return
  // Of a run of many steps nearly all find it entered.
  if ((await state.runRecord(run.id)) === null)
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
  entered.set(state, run.id)
}
