import { isTableStep, unitOf } from 'dray/internal/messages/step-name.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import { latestRuns, type RefusedRun, refusedAmong } from 'dray/internal/triggers/refused-runs.ts'
import type { AskedRun } from './asked-run.ts'
import { type AskedSteps, nameOf, stepsNamed, stepsOf } from './asked-steps.ts'

interface FollowUp {
  readonly run: AskedRun
  /** A sentence for a person. */
  readonly why: string
}

/**
 * The runs that were refused because a run of `held` had the lease, and that nobody does unless this process does: they
 * go on from where they were refused. Takes the wish for them off the pipelines.
 */
export async function takeFollowUps(state: StateStore, held: AskedSteps): Promise<FollowUp[]> {
  const pending: string[] = []
  for (const name of await leasesOf(state, held)) {
    const known = await state.pipeline(name)
    if (known?.pending && known.leaseOwner === null && (await state.takePending(name))) pending.push(name)
  }
  if (pending.length === 0) return []
  const refused = await refusedAmong(await latestRuns(state, Date.now()), new Set(pending), state)
  const covered = new Set(refused.flatMap(({ pipelines }) => pipelines))
  const alone = pending.filter((name) => !covered.has(name))
  return Promise.all([...refused.map(followUpOf), ...alone.map(alonePipeline)])
}

/** What a run may have held: pipelines, and of a replica itself and its tables. */
async function leasesOf(state: StateStore, held: AskedSteps): Promise<readonly string[]> {
  const steps = stepsOf(held).filter(({ kind }) => kind !== 'task' && kind !== 'reconcile')
  const replicas = new Set(steps.flatMap(({ kind, name }) => (kind === 'replica' ? [name] : [])))
  const known = replicas.size === 0 ? [] : await state.pipelines()
  const tables = known.flatMap(({ pipeline }) =>
    isTableStep(pipeline) && replicas.has(unitOf(pipeline)) ? [pipeline] : [],
  )
  return [...new Set([...steps.map(({ name }) => name), ...tables])]
}

async function followUpOf({ run: { id, workflow, only, tables = null }, pipelines }: RefusedRun): Promise<FollowUp> {
  // Of a replica whose tables were refused, these say it.
  const held = pipelines.filter((name) => !pipelines.some((one) => one !== name && unitOf(one) === name))
  const asked = { ...(await stepsNamed(workflow)), ...(only === null ? {} : { only }), tables }
  return {
    run: { ...asked, mode: { resume: id }, trigger: 'follow-up' },
    why: `The run ${id} of ${nameOf({ workflow, only, tables })} was refused meanwhile, since this one held ${held.join(' and ')}; it resumes now.`,
  }
}

async function alonePipeline(name: string): Promise<FollowUp> {
  return {
    run: { ...(await stepsNamed(name)), mode: null, trigger: 'follow-up' },
    why: `This run of ${name} has left something to read, or another one was refused meanwhile, since this one held it; ${name} is run once more.`,
  }
}
