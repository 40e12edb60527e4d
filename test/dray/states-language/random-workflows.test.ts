import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FinishInput, OutcomeInput } from 'dray/internal/messages/stages.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, type Workflow, workflow } from 'dray/internal/workflow/workflow.ts'
import { execute, type HistoryEvent } from 'dray-infra/internal/states-language/index.ts'
import fc from 'fast-check'
import { byLevels } from '#test/workflow/definitions.ts'
import { OutcomeTable } from './outcome-table.ts'
import { VirtualClock } from './virtual-clock.ts'

/** Step i may depend on the steps before it; `fault` says where it goes wrong, if at all. */
interface StepPlan {
  readonly kind: 'pipeline' | 'task'
  readonly after: readonly boolean[]
  readonly fault: 'none' | 'lease held' | 'plan' | 'extract' | 'transform' | 'load' | 'commit' | 'run'
  /** Throws of `Transient` before success; more than the retries allow when it is `exhausted`. */
  readonly transient: number
  readonly exhausted: boolean
  readonly partitions: number
  readonly concurrency: number
  readonly milliseconds: number
}

const MOST_STEPS = 9
const RETRIES = 6
const stepPlan: fc.Arbitrary<StepPlan> = fc.record({
  kind: fc.constantFrom('pipeline', 'pipeline', 'task'),
  after: fc.array(fc.boolean(), { minLength: MOST_STEPS, maxLength: MOST_STEPS }),
  fault: fc.oneof(
    { weight: 3, arbitrary: fc.constant('none' as const) },
    {
      weight: 2,
      arbitrary: fc.constantFrom('lease held', 'plan', 'extract', 'transform', 'load', 'commit', 'run' as const),
    },
  ),
  transient: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: RETRIES })),
  exhausted: fc.boolean(),
  partitions: fc.integer({ min: 0, max: 5 }),
  concurrency: fc.integer({ min: 1, max: 3 }),
  milliseconds: fc.integer({ min: 0, max: 5_000 }),
})
const scenario = fc.record({
  plans: fc.array(stepPlan, { minLength: 1, maxLength: MOST_STEPS }),
  order: fc.infiniteStream(fc.nat()),
  /** The steps that the run is asked for; null for all. */
  asked: fc.option(fc.array(fc.nat({ max: MOST_STEPS - 1 }), { minLength: 1 }), { freq: 2 }),
  seed: fc.integer(),
})

type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never
type Status = 'success' | 'failed' | 'skipped' | 'refused'

function nameOf(index: number): string {
  return `step-${index}`
}

function dependenciesOf(plan: StepPlan, index: number): string[] {
  return [...Array(index).keys()].filter((other) => plan.after[other]).map(nameOf)
}

/** The steps in any order: a workflow is not declared in the order in which it runs. */
function workflowOf({ plans, order }: Scenario): Workflow {
  const keys = order.take(plans.length)
  return workflow('random', {
    steps: plans
      .map((plan, index) => ({
        key: keys.next().value ?? 0,
        step: run({ kind: plan.kind, name: nameOf(index) }, { after: dependenciesOf(plan, index) }),
      }))
      .sort((one, other) => one.key - other.key)
      .map(({ step }) => step),
  })
}

/** Where a step fails for good, or null. A fault at a stage that the step does not reach has no effect. */
function failingStage(plan: StepPlan): StepPlan['fault'] | null {
  const { fault, kind, partitions } = plan
  if (fault === 'none') return null
  if (kind === 'task') return fault === 'run' ? 'run' : null
  if (fault === 'run') return null
  return ['extract', 'transform', 'load'].includes(fault) && partitions === 0 ? null : fault
}

/** The `only` of the run's input, or null. */
function onlyOf({ plans, asked }: Scenario): readonly string[] | null {
  return asked === null ? null : [...new Set(asked.map((index) => nameOf(index % plans.length)))]
}

/** What the steps that were asked for are to end with, worked out from the declaration alone. */
function expectedStatuses(plans: readonly StepPlan[], only: readonly string[] | null): Record<string, Status> {
  const statuses: Record<string, Status> = {}
  const isAsked = (name: string) => only === null || only.includes(name)
  plans.forEach((plan, index) => {
    if (!isAsked(nameOf(index))) return
    const ready = dependenciesOf(plan, index).every((name) => !isAsked(name) || statuses[name] === 'success')
    const stage = failingStage(plan)
    const own = stage === null ? 'success' : stage === 'lease held' ? 'refused' : 'failed'
    statuses[nameOf(index)] = ready ? own : 'skipped'
  })
  return statuses
}

class Fault extends Error {
  constructor(name: string) {
    super(`injected ${name}`)
    this.name = name
  }
}

interface Call {
  readonly step: string
  readonly stage: string
  readonly partition: number | null
}

/** Functions that do nothing but take their time, and go wrong as planned. */
class Functions {
  readonly done: Call[] = []
  finishInput: FinishInput | undefined
  readonly #plans: readonly StepPlan[]
  readonly #clock: VirtualClock
  readonly #throws = new Map<string, number>()
  readonly table = new OutcomeTable()
  readonly #loading = new Map<string, number>()

  constructor(plans: readonly StepPlan[], clock: VirtualClock) {
    this.#plans = plans
    this.#clock = clock
  }

  async invoke(functionName: string, payload: unknown, options: { signal: AbortSignal }): Promise<unknown> {
    if (functionName === 'DrayFinish') return this.#finish(payload as FinishInput)
    if (functionName === 'DrayOutcome') return this.#outcome(payload as OutcomeInput)
    const { pipeline, task, partition = null } = payload as { pipeline?: string; task?: string; partition?: number }
    const step = pipeline ?? task ?? ''
    const stage = (/(Plan|Commit|Extract|Transform|Load|Run)$/.exec(functionName)?.[1] ?? '').toLowerCase()
    const plan = this.#plans[Number(step.replace('step-', ''))] as StepPlan
    const inMap = partition !== null
    const atOnce = (this.#loading.get(step) ?? 0) + 1
    if (inMap) {
      this.#loading.set(step, atOnce)
      assert.ok(atOnce <= plan.concurrency, `${step} runs ${atOnce} partitions at once`)
    }
    try {
      await this.#clock.sleep(plan.milliseconds + (partition ?? 0), options.signal)
      this.#goWrong(plan, { step, stage, partition })
    } finally {
      if (inMap) this.#loading.set(step, (this.#loading.get(step) ?? 1) - 1)
    }
    this.done.push({ step, stage, partition })
    return this.#result(plan, stage, payload)
  }

  #goWrong(plan: StepPlan, call: Call): void {
    const key = `${call.stage} ${call.partition}`
    const failing = failingStage(plan)
    const isFailing = failing === (failing === 'lease held' && call.stage === 'plan' ? 'lease held' : call.stage)
    const lastPartition = call.partition === null || call.partition === plan.partitions - 1
    if (isFailing && lastPartition) {
      throw new Fault(failing === 'lease held' ? 'LeaseHeld' : plan.exhausted ? 'Transient' : 'Terminal')
    }
    const thrown = this.#throws.get(`${call.step} ${key}`) ?? 0
    if (thrown < plan.transient) {
      this.#throws.set(`${call.step} ${key}`, thrown + 1)
      throw new Fault('Transient')
    }
  }

  #result(plan: StepPlan, stage: string, payload: unknown): unknown {
    if (stage === 'plan') {
      const partitions = Array.from({ length: plan.partitions }, (_, partition) => ({ partition }))
      return {
        plan: { key: 'plan', rows: 1, bytes: 2, sha256: '' },
        epoch: 3,
        partitions,
        concurrency: plan.concurrency,
      }
    }
    if (stage === 'commit') return this.table.commit(payload as { pipeline: string })
    return stage === 'run' ? null : payload
  }

  #outcome(input: OutcomeInput): unknown {
    assert.equal(input.outcome === null, input.fault !== null)
    assert.ok(input.outcome !== null || this.table.of(input.pipeline), `${input.pipeline} has written how it ended`)
    return this.table.outcome(input)
  }

  #finish(input: FinishInput): unknown {
    assert.equal(this.finishInput, undefined, 'Finish runs once')
    this.finishInput = input
    return { status: Object.values(input.steps).every(({ status }) => status === 'success') ? 'success' : 'failed' }
  }
}

/** A linear congruential generator: the same jitter for the same scenario. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** No step is called before the last call for what it waits for. */
function assertOrder(given: Workflow, events: readonly HistoryEvent[]): void {
  const first = new Map<string, number>()
  const last = new Map<string, number>()
  events.forEach((event, index) => {
    if (event.type !== 'task-scheduled') return
    const { pipeline, task } = event.payload as { pipeline?: string; task?: string }
    const step = pipeline ?? task
    if (step === undefined) return
    last.set(step, index)
    if (!first.has(step)) first.set(step, index)
  })
  for (const { name, after } of given.steps) {
    for (const dependency of after) {
      const [ended, began] = [last.get(dependency), first.get(name)]
      if (ended !== undefined && began !== undefined) assert.ok(ended < began, `${name} before ${dependency}`)
    }
  }
}

function assertWork(plans: readonly StepPlan[], statuses: Record<string, Status>, functions: Functions): void {
  plans.forEach((plan, index) => {
    const step = nameOf(index)
    const calls = functions.done.filter((call) => call.step === step)
    const keys = calls.map(({ stage, partition }) => `${stage} ${partition}`)
    assert.equal(new Set(keys).size, keys.length, `${step} does some work twice`)
    if (statuses[step] === 'skipped' || statuses[step] === undefined) assert.deepEqual(calls, [])
    if (statuses[step] !== 'success') {
      assert.ok(!keys.includes('commit null') && !keys.includes('run null'))
      return
    }
    const stages = plan.kind === 'task' ? [] : ['extract', 'transform', 'load']
    const work = [...Array(plan.partitions).keys()].flatMap((partition) =>
      stages.map((stage) => `${stage} ${partition}`),
    )
    const expected = plan.kind === 'task' ? ['run null'] : ['plan null', ...work, 'commit null']
    assert.deepEqual([...keys].sort(), expected.sort())
    for (const key of work.filter((each) => each.startsWith('load'))) {
      const places = stages.map((stage) => keys.indexOf(key.replace('load', stage)))
      assert.deepEqual(
        places,
        [...places].sort((one, other) => one - other),
      )
    }
    if (plan.kind === 'pipeline') assert.equal(keys.at(-1), 'commit null')
  })
}

test('runs 400 random workflows with random faults as a simple model says', async () => {
  const seen = new Set<Status>()
  let barriers = 0
  let levels = 0
  let partial = 0

  await fc.assert(
    fc.asyncProperty(scenario, async (given) => {
      const daily = workflowOf(given)
      const only = onlyOf(given)
      const isByLevel = given.seed % 3 === 0
      const { definition, machines, notes } = isByLevel ? byLevels(daily) : toStatesLanguage(daily)
      const clock = new VirtualClock()
      const functions = new Functions(given.plans, clock)
      const events: HistoryEvent[] = []

      const result = await execute(definition, only === null ? {} : { only }, {
        executor: functions,
        clock,
        machines,
        executionName: 'run-1',
        random: randomFrom(given.seed),
        onEvent: (event) => events.push(event),
      })

      const expected = expectedStatuses(given.plans, only)
      const steps = functions.finishInput?.steps ?? {}
      assert.deepEqual(Object.fromEntries(Object.entries(steps).map(([name, { status }]) => [name, status])), expected)
      for (const [name, { status, reason }] of Object.entries(steps)) {
        const why = reason ?? functions.table.of(name)?.reason ?? null
        assert.equal(why === null, status === 'success', `${name}: ${why}`)
        seen.add(status)
      }
      const succeeds = Object.values(expected).every((status) => status === 'success')
      assert.equal(result.status, succeeds ? 'SUCCEEDED' : 'FAILED')
      assert.equal(result.error, succeeds ? undefined : 'WorkflowFailed')
      assertOrder(daily, events)
      assertWork(given.plans, expected, functions)
      barriers += notes.length > 0 && !isByLevel ? 1 : 0
      levels += isByLevel ? 1 : 0
      partial += Object.keys(expected).length < given.plans.length ? 1 : 0
    }),
    { seed: 20_260_101, numRuns: 400 },
  )

  assert.deepEqual([...seen].sort(), ['failed', 'refused', 'skipped', 'success'])
  assert.ok(barriers > 20, `only ${barriers} workflows had a barrier`)
  assert.ok(levels > 80, `only ${levels} ran level by level`)
  assert.ok(partial > 50, `only ${partial} runs left steps out`)
})
