import type { RunDetail, StateStore } from '#shared/state/state-store.ts'
import { run, type Workflow, workflow } from '#shared/workflow/index.ts'
import type { AskedRun } from './run-command.ts'
import { workflowNamed } from './workflows.ts'

/** How far back refused runs are looked for. */
const LATEST = 50

interface FollowUp {
  readonly run: AskedRun
  /** A sentence for a person. */
  readonly why: string
}

/**
 * The runs that were refused because a run of `held` had the lease, and that nobody does unless this process does: they go on from
 * where they were refused. Takes the wish for them off the pipelines.
 */
export async function takeFollowUps(state: StateStore, held: Workflow, since: number): Promise<FollowUp[]> {
  const pending: string[] = []
  for (const { kind, name } of held.steps) {
    if (kind !== 'pipeline') continue
    const known = await state.pipeline(name)
    if (known?.pending && known.leaseOwner === null && (await state.takePending(name))) pending.push(name)
  }
  if (pending.length === 0) return []
  const refused = await refusedRuns(state, new Set(pending), since)
  const covered = new Set(refused.flatMap(({ pipelines }) => pipelines))
  const resumed = refused.map(({ detail, pipelines }) => followUpOf(detail, pipelines))
  const alone = pending.filter((name) => !covered.has(name)).map(alonePipeline)
  return [...(await Promise.all(resumed)), ...alone]
}

interface Refused {
  readonly detail: RunDetail
  readonly pipelines: readonly string[]
}

/** The last run of each workflow that has ended and that one of the pipelines has refused. */
async function refusedRuns(state: StateStore, pending: ReadonlySet<string>, since: number): Promise<Refused[]> {
  const found = new Map<string, Refused>()
  for (const { id, workflow: name, endTime } of await state.runs({ status: 'failed', limit: LATEST })) {
    if (endTime === null || endTime < since || found.has(name)) continue
    const detail = await state.run(id)
    const pipelines = (detail?.steps ?? [])
      .filter(({ step, status }) => status === 'refused' && pending.has(step))
      .map(({ step }) => step)
    if (detail !== null && pipelines.length > 0) found.set(name, { detail, pipelines })
  }
  return [...found.values()]
}

async function followUpOf({ run: { id, workflow: name } }: RunDetail, pipelines: readonly string[]): Promise<FollowUp> {
  return {
    run: { workflow: await workflowNamed(name), mode: { resume: id }, trigger: 'follow-up' },
    why: `The run ${id} of ${name} was refused meanwhile, since this one held ${pipelines.join(' and ')}; it is gone on with now.`,
  }
}

function alonePipeline(name: string): FollowUp {
  const only = workflow(name, { steps: [run({ kind: 'pipeline', name })] })
  return {
    run: { workflow: only, mode: null, trigger: 'follow-up' },
    why: `A run of ${name} was refused meanwhile, since this one held it; ${name} is run once more.`,
  }
}
