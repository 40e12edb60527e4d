import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FinishInput, OutcomeInput, StepOutcome } from 'dray/internal/messages/stages.ts'
import { pipelineMachine } from 'dray/internal/workflow/pipeline-machine.ts'
import type { State, StateMachine } from 'dray/internal/workflow/states-language.ts'
import { type CompiledWorkflow, toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, type WorkflowUnit, workflow } from 'dray/internal/workflow/workflow.ts'
import { type ExecuteOptions, execute, type HistoryEvent } from 'dray-infra/internal/states-language/index.ts'
import { byLevels } from '#test/workflow/definitions.ts'
import { pipelineNamed, taskNamed } from '#test/workflow/units.ts'
import { errorNamed } from './machine.ts'
import { OutcomeTable } from './outcome-table.ts'
import { VirtualClock } from './virtual-clock.ts'

type Functions = Readonly<Record<string, (payload: never) => unknown>>

const planned = (partitions = 1) => ({
  plan: {},
  epoch: 1,
  partitions: Array.from({ length: partitions }, (_, partition) => ({ partition })),
  concurrency: 40,
})

const fails = (name: string, message: string) => () => {
  throw errorNamed(name, message)
}

/** Runs a workflow's machine, or a pipeline's alone. */
async function ended(
  { definition, machines }: { definition: StateMachine; machines?: CompiledWorkflow['machines'] },
  input: unknown,
  functions: Functions = {},
  options: Partial<ExecuteOptions> = {},
) {
  const table = new OutcomeTable()
  const calls: { functionName: string; payload: unknown }[] = []
  const events: HistoryEvent[] = []
  const usual: Functions = {
    DrayPlan: () => planned(),
    DrayCommit: (payload) => table.commit(payload),
    DrayOutcome: (payload: OutcomeInput) => table.outcome(payload),
    DrayFinish: ({ steps }: FinishInput) => ({
      status: Object.values(steps).every(({ status }) => status === 'success') ? 'success' : 'failed',
    }),
    ...functions,
  }
  const result = await execute(definition, input, {
    clock: new VirtualClock(Date.UTC(2026, 0, 2, 3)),
    machines,
    executionName: 'run-1',
    random: () => 0.5,
    onEvent: (event) => events.push(event),
    executor: {
      async invoke(functionName, payload) {
        calls.push({ functionName, payload })
        return usual[functionName] === undefined ? payload : await usual[functionName](payload as never)
      },
    },
    ...options,
  })
  const finish = calls.findLast(({ functionName }) => functionName === 'DrayFinish')?.payload as FinishInput | undefined
  const called = calls.map(({ functionName }) => functionName)
  return { ...result, calls, called, events, table, finish, steps: finish?.steps }
}

describe("a pipeline's machine that a person starts", () => {
  const orders = pipelineMachine('orders')
  const byHand = { id: 'run-1', workflow: 'orders', started_at: '2026-01-02T03:00:00.000Z', trigger: 'manual' }

  test('is a run of the pipeline alone, which ends with it', async () => {
    const { status, output, calls, called, finish } = await ended(orders, {})

    assert.equal(status, 'SUCCEEDED')
    assert.deepEqual(output, { outcome: { status: 'success', reason: null } })
    assert.deepEqual(called, [
      ...['DrayPlan', 'OrdersExtract', 'OrdersTransform', 'OrdersLoad', 'DrayCommit'],
      'DrayFinish',
    ])
    for (const { payload } of calls) assert.deepEqual((payload as { run: unknown }).run, byHand)
    assert.deepEqual(finish?.steps, { orders: { status: 'success', reason: null } })
  })

  const endings: [what: string, thrown: Error, outcome: StepOutcome, error: string][] = [
    ['fails', errorNamed('Terminal', 'gone'), { status: 'failed', reason: 'Terminal: gone' }, 'PipelineFailed'],
    [
      'is refused',
      errorNamed('LeaseHeld', 'held by run-0'),
      { status: 'refused', reason: 'LeaseHeld: held by run-0' },
      'LeaseHeld',
    ],
  ]
  for (const [what, thrown, outcome, error] of endings) {
    test(`ends the run as well, and itself with the reason, when the pipeline ${what}`, async () => {
      const result = await ended(orders, {}, { DrayPlan: fails(thrown.name, thrown.message) })

      assert.deepEqual(result.steps, { orders: outcome })
      assert.deepEqual(result.table.of('orders'), outcome)
      assert.deepEqual([result.status, result.error, result.cause], ['FAILED', error, outcome.reason])
    })
  }

  test('does what a run of a workflow can be asked to do', async () => {
    const mode = { backfill: { from: '2024-01-01', to: '2024-02-01' } }

    const { calls } = await ended(orders, { Comment: 'again', trigger: 'repair', mode })

    assert.partialDeepStrictEqual(calls[0]?.payload, { mode, run: { ...byHand, trigger: 'repair' } })
  })

  const wrong: [what: string, input: unknown, says: RegExp][] = [
    ['a list', [], /the input has to be an object, not \[\]/],
    ['a key that is not known', { onyl: 1 }, /onyl is not known: there may be Comment, trigger, only, mode, entities,/],
    ['a mode that is not one', { mode: { backfil: {} } }, /mode has to be one of/],
    ['a run that is none', { run: 'run-0' }, /run has to be a run, which a workflow gives: leave it out, not "run-0"/],
    ['half a run', { run: { id: 'run-1' } }, /run\.workflow is missing/],
    [
      'the input of an earlier execution',
      { run: { ...byHand, id: 'run-0' } },
      /run is that of another execution: leave it out, and this one is a run of orders alone/,
    ],
  ]
  for (const [what, input, says] of wrong) {
    test(`says what input it takes, and runs nothing, when it is given ${what}`, async () => {
      const { status, error, cause, called } = await ended(orders, input)

      assert.deepEqual([status, error, called], ['FAILED', 'InvalidInput', []])
      assert.match(String(cause), /^The input is not one that orders takes, so nothing was run: .*docs\/events\.md/)
      assert.match(String(cause), says)
    })
  }
})

describe("a pipeline of a workflow's run", () => {
  const daily = toStatesLanguage(
    workflow('daily', {
      steps: [
        run({ ...pipelineNamed('orders'), entity: 'shop/orders' }),
        run(taskNamed('mart'), { after: ['orders'] }),
      ],
    }),
  )

  test('is given of the input of the run what it is for, and of the events its own', async () => {
    const change = (key: string) => ({ keys: [key], window: null })
    const { events, status } = await ended(daily, {
      trigger: 'event:EntityUpdated',
      events: ['1'],
      entities: { 'shop/orders': change('1'), 'shop/items': change('2') },
      causation: [],
      only: ['orders'],
    })

    const started = events.find((event) => event.type === 'execution-started' && event.machine === 'orders')
    assert.equal(status, 'SUCCEEDED')
    assert.deepEqual((started as { input?: unknown }).input, {
      run: {
        id: 'run-1',
        workflow: 'daily',
        started_at: '2026-01-02T03:00:00.000Z',
        trigger: 'event:EntityUpdated',
      },
      only: ['orders'],
      entities: { 'shop/orders': change('1') },
      AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: 'local:local:run-1',
    })
  })

  test('leaves the end of the run to the workflow', async () => {
    for (const functions of [{}, { OrdersLoad: fails('Terminal', 'gone') }]) {
      const { called } = await ended(daily, {}, functions)

      assert.equal(called.filter((name) => name === 'DrayFinish').length, 1)
      assert.equal(called.at(-1), 'DrayFinish')
    }
  })

  test('is aborted with the run: its function is told, and nothing is called any more', async () => {
    const controller = new AbortController()
    const called: string[] = []
    let aborted = 0

    const { status, events } = await ended(
      daily,
      {},
      {},
      {
        signal: controller.signal,
        executor: {
          invoke(name, _payload, { signal }) {
            called.push(name)
            if (name === 'DrayPlan') return Promise.resolve(planned(3))
            return new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => {
                aborted += 1
                reject(signal.reason)
              })
              if (called.length === 4) queueMicrotask(() => controller.abort())
            })
          },
        },
      },
    )

    assert.equal(status, 'ABORTED')
    assert.deepEqual(called, ['DrayPlan', 'OrdersExtract', 'OrdersExtract', 'OrdersExtract'])
    assert.equal(aborted, 3)
    assert.ok(events.some(({ type, machine }) => type === 'execution-aborted' && machine === 'orders'))
  })

  test('that was lost at its end, after Commit, has succeeded: nothing that waits for it is skipped', async () => {
    const { steps, status, table } = await ended(
      daily,
      {},
      {
        DrayCommit: () => {
          throw errorNamed('Lambda.Unknown', 'the answer was lost')
        },
        DrayOutcome: () => ({ status: 'success', reason: null }),
      },
    )

    assert.equal(table.of('orders'), null)
    assert.equal(status, 'SUCCEEDED')
    assert.deepEqual(steps?.mart, { status: 'success', reason: null })
  })

  test('that neither ended nor wrote how has failed, with what the workflow was told of it', async () => {
    const { name, definition } = pipelineMachine('orders')
    const broken = {
      ...definition,
      States: { ...definition.States, Plan: { Type: 'Fail', Error: 'A', Cause: 'b "c"' } },
    }
    const machines = new Map([['OrdersMachine', { name, definition: broken as StateMachine, functions: [] }]])

    const { steps, calls } = await ended({ definition: daily.definition, machines }, {})

    const asked = calls.find(({ functionName }) => functionName === 'DrayOutcome')?.payload
    assert.partialDeepStrictEqual(asked, { pipeline: 'orders', outcome: null, fault: 'b \\"c\\"' })
    assert.deepEqual(steps?.orders, { status: 'failed', reason: 'b \\"c\\"' })
  })
})

describe('a run whose name is taken at a pipeline', () => {
  const { definition, machines } = toStatesLanguage(workflow('daily', { steps: [run(pipelineNamed('orders'))] }))
  /** The start of the pipeline is sent once more, by what looks like the same run. */
  const earlier = (Catch: object[]): StateMachine => ({
    ...definition,
    States: {
      ...definition.States,
      'Valid input?': { ...definition.States['Valid input?'], Choices: [{ Condition: '{% true %}', Next: 'earlier' }] },
      earlier: {
        Type: 'Task',
        Resource: 'arn:aws:states:::states:startExecution.sync:2',
        Arguments: {
          StateMachineArn: '${OrdersMachine}',
          Name: '{% $states.input.run.id %}',
          Input: { run: '{% $states.input.run %}' },
        },
        TimeoutSeconds: 60,
        Catch,
        Output: '{% $states.input %}',
        Next: 'orders',
      },
    } as Record<string, State>,
  })
  const goOn = { ErrorEquals: ['States.ALL'], Output: '{% $states.input %}', Next: 'orders' }

  test('takes the outcome of the one that has it from the state table: a success is one', async () => {
    const { status, steps, called } = await ended({ definition: earlier([goOn]), machines }, {})

    assert.equal(status, 'SUCCEEDED')
    assert.deepEqual(steps, { orders: { status: 'success', reason: null } })
    assert.equal(called.filter((name) => name === 'DrayPlan').length, 1)
  })

  test('and a failure has its reason', async () => {
    const { status, steps, called } = await ended(
      { definition: earlier([goOn]), machines },
      {},
      {
        OrdersLoad: fails('Terminal', 'gone'),
      },
    )

    assert.equal(status, 'FAILED')
    assert.deepEqual(steps, { orders: { status: 'failed', reason: 'Terminal: gone' } })
    assert.equal(called.filter((name) => name === 'DrayPlan').length, 1)
  })

  test('has failed at it, and says why, where nothing is known of the one that has the name', async () => {
    const { definition: broken, name } = pipelineMachine('orders')
    const silent = { ...broken, StartAt: 'end', States: { end: { Type: 'Pass', End: true } } } as StateMachine
    const { steps } = await ended(
      {
        definition: earlier([goOn]),
        machines: new Map([['OrdersMachine', { name, definition: silent, functions: [] }]]),
      },
      {},
    )

    assert.equal(steps?.orders?.status, 'failed')
    assert.match(steps?.orders?.reason ?? '', /^StepFunctions\.ExecutionAlreadyExistsException: .*run-1/)
  })
})

describe('the history, which may have 25,000 events,', () => {
  test('has room for 300 pipelines that all fail, each of whose outcomes is asked for again and again', async () => {
    const names = Array.from({ length: 300 }, (_, index) => `pipeline-${index}`)
    const compiled = toStatesLanguage(workflow('wide', { steps: names.map((name) => run(pipelineNamed(name))) }))

    const { historyEvents, steps } = await ended(
      compiled,
      {},
      {
        DrayPlan: fails('Terminal', 'gone'),
        DrayOutcome: ({ outcome }: OutcomeInput) => {
          if (outcome !== null) return outcome
          throw errorNamed('Terminal', 'no table')
        },
      },
    )

    assert.equal(Object.keys(steps ?? {}).length, 300)
    assert.ok(historyEvents < 20_000 && historyEvents > 3_000, `${historyEvents} events`)
  })

  test('has room for 500 partitions of which each stage is tried three times', async () => {
    const tries = new Map<string, number>()
    const flaky = (stage: string) => (payload: { partition: number }) => {
      const key = `${stage} ${payload.partition}`
      tries.set(key, (tries.get(key) ?? 0) + 1)
      if ((tries.get(key) ?? 0) < 3) throw errorNamed('Transient')
      return payload
    }

    const { historyEvents, status } = await ended(
      pipelineMachine('orders'),
      {},
      {
        DrayPlan: () => planned(500),
        OrdersExtract: flaky('extract'),
        OrdersTransform: flaky('transform'),
        OrdersLoad: flaky('load'),
      },
    )

    assert.equal(status, 'SUCCEEDED')
    assert.ok(historyEvents < 20_000 && historyEvents > 15_000, `${historyEvents} events`)
  })
})

describe('steps that run level by level', () => {
  const [a, b, c] = ['a', 'b', 'c'].map(pipelineNamed) as [WorkflowUnit, WorkflowUnit, WorkflowUnit]
  const mart = taskNamed('mart')
  const compiled = byLevels(
    workflow('levels', {
      steps: [
        run(a),
        run(b),
        run(c, { after: [a] }),
        run(mart, { after: [a, b] }),
        run(taskNamed('last'), { after: [c] }),
      ],
    }),
  )

  test('wait for the whole level before, and give tasks what they are given anywhere', async () => {
    const { calls, status } = await ended(compiled, { mode: { resume: 'run-0' } })

    assert.equal(status, 'SUCCEEDED')
    const place = (name: string) => calls.findIndex(({ functionName }) => functionName === name)
    const commits = calls.flatMap(({ functionName, payload }, index) =>
      functionName === 'DrayCommit' ? [[(payload as { pipeline: string }).pipeline, index] as const] : [],
    )
    const commitOf = new Map(commits)
    for (const before of ['a', 'b']) assert.ok((commitOf.get(before) as number) < place('MartRun'), before)
    assert.ok((commitOf.get('c') as number) < place('LastRun'))
    const reference = { id: 'run-1', workflow: 'levels', started_at: '2026-01-02T03:00:00.000Z', trigger: 'manual' }
    assert.deepEqual(calls[place('MartRun')]?.payload, {
      version: 1,
      run: reference,
      task: 'mart',
      mode: { resume: 'run-0' },
      only: null,
    })
  })

  test('end as their own dependencies let them, with the reasons of functions in one sentence', async () => {
    const { steps } = await ended(
      compiled,
      {},
      { AExtract: fails('Terminal', 'a "b"\nc'), LastRun: fails('Terminal', 'd') },
    )

    assert.deepEqual(steps, {
      a: { status: 'failed', reason: 'Terminal: a "b" c' },
      b: { status: 'success', reason: null },
      c: { status: 'skipped', reason: 'Skipped, since a failed.' },
      mart: { status: 'skipped', reason: 'Skipped, since a failed.' },
      last: { status: 'skipped', reason: 'Skipped, since c was skipped.' },
    })
    const failing = await ended(compiled, { only: ['last'] }, { LastRun: fails('Terminal', 'a "b"\nc') })
    assert.deepEqual(failing.steps, { last: { status: 'failed', reason: 'Terminal: a "b" c' } })
  })
})
