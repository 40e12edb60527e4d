import { modeOf } from '#dray/messages/run-mode.ts'
import type { RunRecord, RunStatus, StateStore } from '#dray/state/state-store.ts'

/** A run that did not get a pipeline, since another held it. */
export interface RefusedRun {
  readonly run: RunRecord
  readonly pipelines: readonly string[]
}

const DAY_MS = 24 * 3600 * 1000
/** Others may have failed in a run that was refused a pipeline. */
const DID_NOT_ALL: ReadonlySet<RunStatus> = new Set(['failed', 'interrupted', 'refused'])
/** How far back is looked. */
const LATEST = 50

/** The runs of the last day, newest first. */
export async function latestRuns(
  state: Pick<StateStore, 'runs'>,
  now: number,
  workflow?: string,
): Promise<readonly RunRecord[]> {
  const runs = await state.runs({ ...(workflow === undefined ? {} : { workflow }), limit: LATEST })
  return runs.filter(({ startTime }) => startTime > now - DAY_MS)
}

/**
 * Those of the runs (newest first) that one of the pipelines has refused and that no later run has done; oldest first.
 */
export async function refusedAmong(
  runs: readonly RunRecord[],
  pipelines: ReadonlySet<string>,
  state: Pick<StateStore, 'run'>,
): Promise<RefusedRun[]> {
  const refused: RefusedRun[] = []
  for (const [index, run] of runs.entries()) {
    if (!DID_NOT_ALL.has(run.status) || runs.slice(0, index).some((later) => doesWorkOf(later, run))) continue
    const steps = (await state.run(run.id))?.steps ?? []
    const names = steps
      .filter(({ step, status }) => status === 'refused' && pipelines.has(step))
      .map(({ step }) => step)
    if (names.length > 0) refused.unshift({ run, pipelines: names })
  }
  return refused
}

function coversTables({ tables }: RunRecord, run: RunRecord): boolean {
  if (!tables) return true
  return run.tables?.every((table) => tables.includes(table)) ?? false
}

/**
 * Whether a later run resumes a run, or is a usual one of the same steps. What resumes a run of a pipeline alone (a
 * `reconcile --fix`) is of the workflow that has it.
 */
function doesWorkOf(later: RunRecord, run: RunRecord): boolean {
  const mode = modeOf(later)
  if (mode !== null) return 'resume' in mode && mode.resume === run.id
  if (later.workflow !== run.workflow || !coversTables(later, run)) return false
  return run.mode === null && (later.only === null || (run.only?.every((step) => later.only?.includes(step)) ?? false))
}
