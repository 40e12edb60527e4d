import { ConfigurationError } from '#dray/errors.ts'
import { modeOf, type ReadingMode, type RunMode } from '#dray/messages/run-mode.ts'
import type { PlanInput } from '#dray/messages/stages.ts'
import type { RunDetail, StateStore } from '#dray/state/state-store.ts'
import type { Services } from '../services.ts'

type Mode = RunMode | null

/**
 * The run that is resumed, the run that one resumed, and so on. Throws `Configuration` when one is not known (any
 * more).
 */
export async function resumedRuns(state: Pick<StateStore, 'run'>, runId: string): Promise<RunDetail[]> {
  const chain: RunDetail[] = []
  for (let next: string | null = runId; next !== null; ) {
    const detail: RunDetail | null = await state.run(next)
    if (detail === null) {
      throw new ConfigurationError(
        `There is no run ${next} (its record may have expired), so it cannot be resumed; \`npx dray runs\` lists the runs.`,
      )
    }
    chain.push(detail)
    const mode: RunMode | null = modeOf(detail.run)
    next = mode !== null && 'resume' in mode ? mode.resume : null
  }
  return chain
}

/** The run of the chain in which a step has succeeded, or null. */
export function succeededIn(chain: readonly RunDetail[], step: string): string | null {
  const found = chain.find(({ steps }) => steps.some((one) => one.step === step && one.status === 'success'))
  return found?.run.id ?? null
}

/** The runs that a run in this mode resumes, the last one first; none where it resumes none. */
export async function chainOf(mode: Mode, { state }: Services): Promise<RunDetail[]> {
  return mode !== null && 'resume' in mode ? resumedRuns(state, mode.resume) : []
}

/**
 * The run that has done the step before this one, though it may have died before it could say so: one among those
 * resumed, or one that has resumed them. Null when none has.
 */
export async function doneBefore(
  step: string,
  { run, mode = null }: Pick<PlanInput, 'run' | 'mode'>,
  services: Services,
): Promise<string | null> {
  const chain = await chainOf(mode, services)
  if (chain.length === 0) return null
  const done = succeededIn(chain, step)
  if (done !== null) return done
  const committed = (await services.state.pipeline(step))?.commitOwner ?? null
  if (committed === null || committed === run.id) return null
  const goneOnWith = await knownChain(committed, services)
  return chain.some((one) => goneOnWith.includes(one.run.id)) ? committed : null
}

/** A run and those that it has resumed; none where a record has expired. */
async function knownChain(runId: string, { state }: Services): Promise<string[]> {
  try {
    return (await resumedRuns(state, runId)).map(({ run }) => run.id)
  } catch (error) {
    if ((error as Error).name === 'Configuration') return []
    throw error
  }
}

/** What the first of the resumed runs was asked to do. */
export async function resumedMode(mode: Mode, services: Services): Promise<ReadingMode | null> {
  if (mode === null || !('resume' in mode)) return mode
  const first = (await chainOf(mode, services)).at(-1)
  return first === undefined ? null : (modeOf(first.run) as ReadingMode | null)
}
