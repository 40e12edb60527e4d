import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FinishInput, OutcomeInput } from 'dray/internal/messages/stages.ts'
import type { State, StateMachine } from 'dray/internal/workflow/states-language.ts'
import { type CompiledWorkflow, everyFunction, toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import type { Workflow } from 'dray/internal/workflow/workflow.ts'
import { execute } from 'dray-infra/internal/states-language/index.ts'
import fc from 'fast-check'
import { allStates, byLevels, dag } from '#test/workflow/definitions.ts'
import { errorNamed } from './machine.ts'
import { OutcomeTable } from './outcome-table.ts'
import { VirtualClock } from './virtual-clock.ts'

const BROKEN = '{% $error("broken") %}'

/** Each way in which an expression of a state can fail. */
function breakagesOf(state: State): readonly Partial<Record<string, unknown>>[] {
  switch (state.Type) {
    case 'Pass':
      return [{ Output: BROKEN }]
    case 'Choice':
      return [{ Choices: state.Choices.map((choice) => ({ ...choice, Condition: BROKEN })) }]
    case 'Task':
      return [
        { Output: BROKEN },
        ...Object.keys(state.Arguments).map((field) => ({ Arguments: { ...state.Arguments, [field]: BROKEN } })),
      ]
    case 'Map':
      return [
        { Output: BROKEN },
        { ItemSelector: BROKEN },
        { MaxConcurrency: BROKEN },
        'Items' in state
          ? { Items: BROKEN }
          : { ItemReader: { ...state.ItemReader, Arguments: { Bucket: 'staging', Key: BROKEN } } },
      ]
    case 'Parallel':
      return [{ Output: BROKEN }, { Arguments: BROKEN }]
    case 'Succeed':
      return [{ Output: BROKEN }]
    case 'Fail':
      return [{ Error: BROKEN }, { Cause: BROKEN }]
  }
}

function withChanged(definition: StateMachine, name: string, change: object): StateMachine {
  const changed = structuredClone(definition)
  const state = allStates(changed).find(([each]) => each === name)?.[1]
  Object.assign(state ?? {}, change)
  return changed
}

type Functions = Readonly<Record<string, (payload: never) => unknown>>

/** Runs a workflow whose pipelines have one partition. */
async function run({ definition, machines }: Pick<CompiledWorkflow, 'definition' | 'machines'>, functions: Functions) {
  let finish: FinishInput | undefined
  const table = new OutcomeTable()
  const entered = new Set<string>()
  const usual: Functions = {
    DrayPlan: () => ({ plan: {}, epoch: 1, partitions: [{ partition: 0 }], concurrency: 1 }),
    DrayCommit: (payload) => table.commit(payload),
    DrayOutcome: (payload: OutcomeInput) => table.outcome(payload),
    DrayFinish: (payload: FinishInput) => {
      assert.equal(finish, undefined, 'Finish runs once')
      finish = payload
      return { status: Object.values(finish.steps).every(({ status }) => status === 'success') ? 'success' : 'failed' }
    },
    ...functions,
  }
  const result = await execute(
    definition,
    {},
    {
      clock: new VirtualClock(),
      machines,
      executionName: 'run-1',
      stateMachineName: 'any',
      random: () => 0,
      readItems: async () => [{ partition: 0 }],
      onEvent: (event) => {
        if (event.type === 'state-entered') entered.add(`${event.machine.split('/')[0]} ${event.state}`)
      },
      executor: { invoke: async (name, payload) => usual[name]?.(payload as never) ?? payload },
    },
  )
  return { ...result, steps: finish?.steps, entered, table }
}

const fails = (name: string) => () => {
  throw errorNamed(name, 'gone')
}
const refuses = fails('LeaseHeld')

const items = { bucket: 'staging', key: 'items' }

/** What a state breaks in the midst of. */
const moods: readonly (readonly [mood: string, functions: (workflow: CompiledWorkflow) => Functions])[] = [
  ['all goes well', () => ({})],
  [
    'the partitions are distributed',
    () => ({
      DrayPlan: () => ({ plan: {}, epoch: 1, partitions: [], distributed: true, items, concurrency: 1 }),
    }),
  ],
  [
    'nothing can be loaded, and no task works',
    (compiled) =>
      Object.fromEntries(
        everyFunction(compiled)
          .filter(({ placeholder }) => /(Load|Run)$/.test(placeholder))
          .map(({ placeholder }) => [placeholder, fails('Terminal')]),
      ),
  ],
  ['every lease is held', () => ({ DrayPlan: refuses })],
]

interface Broken {
  /** `any Start`: the machine and its state. */
  readonly state: string
  readonly machines: Pick<CompiledWorkflow, 'definition' | 'machines'>
  /** The pipeline whose machine it is, or null for the workflow's. */
  readonly pipeline: string | null
  readonly isInBranch: boolean
  /** Whether the pipeline has succeeded all the same, as the state table says. */
  readonly isKnown: boolean
  readonly where: string
}

/** Each state of the workflow's machine, and of those of its pipelines, broken in each way. */
function brokenOf(compiled: CompiledWorkflow): Broken[] {
  const { definition, machines } = compiled
  const top = new Set(Object.keys(definition.States))
  const states = allStates(definition).filter(
    // Nothing catches for a Pass or a Choice of the top level, and nothing is to run before Start or after Finish.
    ([name, { Type }]) =>
      !(top.has(name) && (['Pass', 'Choice', 'Succeed', 'Fail'].includes(Type) || name === 'Finish')),
  )
  const ofWorkflow = states.flatMap(([name, state]) =>
    breakagesOf(state).map((change) => ({
      state: `any ${name}`,
      machines: { definition: withChanged(definition, name, change), machines },
      pipeline: null,
      isInBranch: !top.has(name) && state.Type !== 'Task',
      isKnown: state.Type === 'Task' && state.Resource.includes('startExecution') && 'Output' in change,
      where: `${name}, ${JSON.stringify(change)}`,
    })),
  )
  const ofPipelines = [...machines].slice(0, 1).flatMap(([placeholder, machine]) =>
    allStates(machine.definition).flatMap(([name, state]) =>
      breakagesOf(state).map((change) => ({
        state: `${machine.name} ${name}`,
        machines: {
          definition,
          machines: new Map([
            ...machines,
            [placeholder, { ...machine, definition: withChanged(machine.definition, name, change) }],
          ]),
        },
        pipeline: machine.name,
        isInBranch: false,
        isKnown: false,
        where: `${name} of ${machine.name}, ${JSON.stringify(change)}`,
      })),
    ),
  )
  return [...ofWorkflow, ...ofPipelines]
}

/** The states of pipelines' machines in which something broke. */
const brokenInPipelines = new Set<string>()

const variants = [
  ...moods.map(([mood, functionsOf]) => ({
    when: mood,
    functionsOf,
    compile: (given: Workflow) => toStatesLanguage(given),
  })),
  ...moods.map(([mood, functionsOf]) => ({ when: `${mood}, level by level`, functionsOf, compile: byLevels })),
].filter(({ when }) => when !== 'the partitions are distributed, level by level')

for (const { when, functionsOf, compile } of variants) {
  test(`goes on to Finish with an outcome of every step, whichever state is broken, when ${when}`, async () => {
    const seen = { ofWorkflow: 0, ofPipelines: 0, inBranches: 0 }

    for (const workflow of fc.sample(dag, { seed: 5, numRuns: 2 })) {
      const compiled = compile(workflow)
      const names = workflow.steps.map(({ name }) => name).sort()
      const functions = functionsOf(compiled)
      const whole = await run(compiled, functions)
      for (const { state, machines, pipeline, isInBranch, isKnown, where: place } of brokenOf(compiled)) {
        const { status, error, steps = {}, entered, table } = await run(machines, functions)

        const isReached = entered.has(state)
        const where = `${place}, of ${JSON.stringify(workflow.steps)}`
        assert.deepEqual(Object.keys(steps).sort(), names, where)
        const isCommitted = pipeline !== null && table.of(pipeline)?.status === 'success'
        if (!isReached || isCommitted || isKnown) assert.deepEqual([status, error], [whole.status, whole.error], where)
        else assert.deepEqual([status, error], ['FAILED', 'WorkflowFailed'], where)
        if (pipeline !== null) assert.equal(steps[pipeline]?.status === 'success', isCommitted, where)
        for (const { status: outcome, reason } of Object.values(steps)) {
          assert.ok(outcome === 'success' || (reason ?? '') !== '', where)
        }
        if (isReached && pipeline !== null) brokenInPipelines.add(state.slice(`${pipeline} `.length))
        seen.ofWorkflow += isReached && pipeline === null ? 1 : 0
        seen.ofPipelines += isReached && pipeline !== null ? 1 : 0
        seen.inBranches += isReached && isInBranch ? 1 : 0
      }
    }

    assert.ok(seen.ofWorkflow > 20 && seen.ofPipelines > 20 && seen.inBranches > 3, JSON.stringify(seen))
  })
}

test('has broken each state that a pipeline of a workflow can be in', () => {
  const { machines } = toStatesLanguage(fc.sample(dag, { seed: 5, numRuns: 1 })[0] as Workflow)

  const all = [...machines.values()].flatMap(({ definition }) => allStates(definition).map(([name]) => name))

  const never = all.filter((name) => !brokenInPipelines.has(name))
  assert.deepEqual([...new Set(never)].sort(), ['Finish', 'Invalid input'])
})

test('goes on to Finish, whichever function answers more than a state may hold, or fails without end', async () => {
  let failed = 0

  for (const workflow of fc.sample(dag, { seed: 6, numRuns: 2 })) {
    const compiled = toStatesLanguage(workflow)
    const names = workflow.steps.map(({ name }) => name).sort()
    const machines = new Map([...compiled.machines].slice(0, 1))
    const functions = everyFunction({ ...compiled, machines }).filter(({ placeholder }) => placeholder !== 'DrayFinish')
    for (const { placeholder } of functions) {
      for (const name of [
        '',
        'Transient',
        'States.Timeout',
        'States.DataLimitExceeded',
        'States.QueryEvaluationError',
      ]) {
        const { status, steps } = await run(compiled, {
          // Nobody asks how a pipeline ended that has succeeded.
          ...(placeholder === 'DrayOutcome' ? { DrayPlan: refuses } : {}),
          [placeholder]: () => {
            if (name === '') return 'x'.repeat(262_000)
            throw errorNamed(name, 'x'.repeat(500_000))
          },
        })

        assert.deepEqual(Object.keys(steps ?? {}).sort(), names, `${placeholder} ${name}`)
        assert.equal(status, 'FAILED', `${placeholder} ${name}`)
        failed += 1
      }
    }
  }

  assert.ok(failed > 30, `only ${failed} failed`)
})
