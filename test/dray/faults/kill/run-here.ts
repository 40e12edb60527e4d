import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import type {
  CommitInput,
  ExtractInput,
  FinishInput,
  GatherInput,
  LoadInput,
  OutcomeInput,
  PlanInput,
  TablesInput,
  TaskInput,
  TransformInput,
} from 'dray/internal/messages/stages.ts'
import type { Replica } from 'dray/internal/pipeline/declare/replica.ts'
import type { SqlTask } from 'dray/internal/pipeline/declare/task.ts'
import type { Unit } from 'dray/internal/pipeline/plan/staged-plan.ts'
import type { Services } from 'dray/internal/pipeline/services.ts'
import { commit } from 'dray/internal/pipeline/stages/commit.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { finish } from 'dray/internal/pipeline/stages/finish.ts'
import { gather } from 'dray/internal/pipeline/stages/gather.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { outcome } from 'dray/internal/pipeline/stages/outcome.ts'
import { plan } from 'dray/internal/pipeline/stages/plan.ts'
import { runTask } from 'dray/internal/pipeline/stages/run-task.ts'
import { tables } from 'dray/internal/pipeline/stages/tables.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import type { StagingStore } from 'dray/internal/staging/staging-store.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'
import { localRunner } from 'dray-infra/internal/runs/run-lock.ts'
import { type Clock, type ExecutionResult, execute, realClock } from 'dray-infra/internal/states-language/index.ts'
import type { At } from './crash-points.ts'
import { compiledOf } from './models.ts'

/** Waits between two attempts are as long as they are so that others can recover; a test need not wait as long. */
const impatientClock: Clock = {
  now: () => realClock.now(),
  sleep: (ms, signal) => realClock.sleep(ms < 90_000 ? ms / 20 : ms, signal),
}

export interface RunHere {
  readonly runId: string
  readonly pipeline: Unit
  /** Behind it. */
  readonly tasks?: readonly SqlTask[]
  /** What it is asked for instead of a usual run. */
  readonly mode?: RunMode | null | undefined
  readonly state: StateStore
  readonly staging: StagingStore
  readonly at?: At | undefined
  /** The handler's own deadline. */
  readonly deadlineOf?: ((step: string) => AbortSignal | undefined) | undefined
  /** Called between two handlers: `before(step, payload)`. */
  readonly before?: ((step: string, payload: unknown) => Promise<void> | void) | undefined
  readonly signal?: AbortSignal | undefined
  /** One by which waits between attempts are short, unless told. */
  readonly clock?: Clock | undefined
}

export interface Ended extends ExecutionResult {
  readonly outcomes: FinishInput['steps']
  /** Why steps did not succeed; a sentence for each. */
  readonly reasons: readonly string[]
  /** Attempts that failed and were made again. */
  readonly retries: readonly string[]
}

/** A whole run in this process: the compiled definition, the local interpreter, the shipped handlers' work. */
export async function runHere(options: RunHere): Promise<Ended> {
  const { runId, state, mode = null, at = () => {} } = options
  const { definition, machines } = compiledOf(options.pipeline, options.tasks ?? [])
  let outcomes: FinishInput['steps'] = {}
  const retries: string[] = []
  await state.startRun({
    id: runId,
    workflow: 'killed',
    startTime: Date.now(),
    runner: localRunner(),
    trigger: 'manual',
    mode: mode === null ? null : JSON.stringify(mode),
  })
  const result = await execute(
    definition,
    { trigger: 'manual', ...(mode === null ? {} : { mode }) },
    {
      executionName: runId,
      machines,
      clock: options.clock ?? impatientClock,
      signal: options.signal,
      onEvent: (event) => {
        if (event.type === 'state-entered' || event.type === 'state-exited') at(`${event.state}: ${event.type}`)
        if (event.type === 'task-retried') retries.push(event.error)
      },
      executor: {
        async invoke(name, payload, { signal }) {
          if (name === 'DrayFinish') outcomes = (payload as FinishInput).steps
          // Through JSON, as between Lambdas.
          const given = JSON.parse(JSON.stringify(payload)) as unknown
          await options.before?.(name, given)
          return perform(name, given, options, signal)
        },
      },
    },
  )
  // The machine knows only the beginning of them.
  const whole = new Map((await state.run(runId))?.steps.map(({ step, error }) => [step, error]))
  const reasons = Object.entries(outcomes).flatMap(([step, { reason }]) => whole.get(step) ?? reason ?? [])
  return { ...result, outcomes, reasons, retries }
}

async function perform(name: string, payload: unknown, options: RunHere, signal: AbortSignal): Promise<unknown> {
  const { pipeline, tasks = [] } = options
  const deadline = options.deadlineOf?.(name)
  const services = servicesOf(options, deadline === undefined ? signal : AbortSignal.any([signal, deadline]))
  switch (name) {
    case 'DrayTables':
      return tables(pipeline as Replica, payload as TablesInput, services)
    case 'DrayGather':
      return gather(payload as GatherInput, services)
    case 'DrayPlan':
      return plan(pipeline, payload as PlanInput, services)
    case 'ItemsExtract':
      return extract(pipeline, payload as ExtractInput, services)
    case 'ItemsTransform':
      return transform(pipeline, payload as TransformInput, services)
    case 'ItemsLoad':
      return load(pipeline, payload as LoadInput, services)
    case 'DrayCommit':
      return commit(pipeline, payload as CommitInput, services)
    case 'DrayOutcome':
      return outcome(payload as OutcomeInput, services)
    case 'DrayFinish':
      return finish(payload as FinishInput, services)
    case 'OfVersionRun':
      return runTask(tasks[0] as SqlTask, payload as TaskInput, services)
    case 'OfShelfRun':
      return runTask(tasks[1] as SqlTask, payload as TaskInput, services)
    default:
      throw new TypeError(`there is no function ${name} here`)
  }
}

/** What a handler works with. */
export function servicesOf({ state, staging }: Pick<RunHere, 'state' | 'staging'>, signal: AbortSignal): Services {
  return {
    state,
    staging,
    signal,
    now: Date.now,
    log: { info: () => {}, warn: () => {} },
    progress: () => {},
    runner: localRunner(),
  }
}
