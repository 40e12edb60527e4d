import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FinishInput } from 'dray/internal/messages/stages.ts'
import type { State, StateMachine } from 'dray/internal/workflow/states-language.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { execute } from 'dray-infra/internal/states-language/index.ts'
import fc from 'fast-check'
import { allStates, dag } from '#test/workflow/definitions.ts'
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
      return [{ Output: BROKEN }, { Arguments: { ...state.Arguments, Payload: BROKEN } }]
    case 'Map':
      return [{ Output: BROKEN }, { ItemSelector: BROKEN }, { MaxConcurrency: BROKEN }]
    case 'Parallel':
      return [{ Output: BROKEN }, { Arguments: BROKEN }]
    default:
      return []
  }
}

function withChanged(definition: StateMachine, name: string, change: object): StateMachine {
  const changed = structuredClone(definition)
  const state = allStates(changed).find(([each]) => each === name)?.[1]
  Object.assign(state ?? {}, change)
  return changed
}

async function run(definition: StateMachine, functions: Readonly<Record<string, () => unknown>> = {}) {
  let finish: FinishInput | undefined
  const entered = new Set<string>()
  const result = await execute(
    definition,
    {},
    {
      clock: new VirtualClock(),
      executionName: 'run-1',
      random: () => 0,
      onEvent: (event) => {
        if (event.type === 'state-entered') entered.add(event.state)
      },
      executor: {
        async invoke(name, payload) {
          if (functions[name] !== undefined) return functions[name]()
          if (name === 'DrayPlan') return { plan: {}, epoch: 1, partitions: [{ partition: 0 }], concurrency: 1 }
          if (name !== 'DrayFinish') return payload
          assert.equal(finish, undefined, 'Finish runs once')
          finish = payload as FinishInput
          return {
            status: Object.values(finish.steps).every(({ status }) => status === 'success') ? 'success' : 'failed',
          }
        },
      },
    },
  )
  return { ...result, steps: finish?.steps, entered }
}

test('goes on to Finish with an outcome of every step, whichever state is broken', async () => {
  const given = fc.sample(dag, { seed: 5, numRuns: 4 })
  let broken = 0
  let inBranches = 0

  for (const workflow of given) {
    const { definition } = toStatesLanguage(workflow)
    const names = workflow.steps.map(({ name }) => name).sort()
    const top = new Set(Object.keys(definition.States))
    for (const [name, state] of allStates(definition)) {
      // Nothing catches for a Pass or a Choice of the top level, and nothing is to run before Start or after Finish.
      const ends = top.has(name) && (['Pass', 'Choice'].includes(state.Type) || name === 'Finish')
      for (const change of ends ? [] : breakagesOf(state)) {
        const { status, error, steps, entered } = await run(withChanged(definition, name, change))

        const isReached = entered.has(name)
        const where = `${name} of ${JSON.stringify(workflow.steps)}, ${JSON.stringify(change)}`
        assert.deepEqual(Object.keys(steps ?? {}).sort(), names, where)
        assert.deepEqual([status, error], isReached ? ['FAILED', 'WorkflowFailed'] : ['SUCCEEDED', undefined], where)
        for (const { status: outcome, reason } of Object.values(steps ?? {})) {
          assert.ok(outcome === 'success' || (reason ?? '') !== '', where)
        }
        broken += isReached ? 1 : 0
        inBranches += isReached && !top.has(name) && state.Type !== 'Task' ? 1 : 0
      }
    }
  }

  assert.ok(broken > 100, `only ${broken} were reached`)
  assert.ok(inBranches > 20, `only ${inBranches} were in a branch`)
})

test('goes on to Finish, whichever function answers more than a state may hold, or fails without end', async () => {
  const given = fc.sample(dag, { seed: 6, numRuns: 2 })
  let failed = 0

  for (const workflow of given) {
    const { definition, functions } = toStatesLanguage(workflow)
    const names = workflow.steps.map(({ name }) => name).sort()
    for (const { placeholder } of functions.filter((each) => each.placeholder !== 'DrayFinish')) {
      for (const name of [
        '',
        'Transient',
        'States.Timeout',
        'States.DataLimitExceeded',
        'States.QueryEvaluationError',
      ]) {
        const { status, steps } = await run(definition, {
          [placeholder]: () => {
            if (name === '') return 'x'.repeat(262_000)
            throw Object.assign(new Error('x'.repeat(500_000)), { name })
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
