import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FinishInput, ReconcileInput, ReconcileOutput, StepOutcome } from 'dray/internal/messages/stages.ts'
import { type CompiledWorkflow, toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, type Workflow, workflow } from 'dray/internal/workflow/workflow.ts'
import { type ExecutionResult, execute } from 'dray-infra/internal/states-language/index.ts'
import { byLevels } from '#test/workflow/definitions.ts'
import { comparisonNamed, pipelineNamed, taskNamed } from '#test/workflow/units.ts'
import { errorNamed } from './machine.ts'
import { VirtualClock } from './virtual-clock.ts'

const ways: readonly [string, (given: Workflow) => CompiledWorkflow][] = [
  ['each step as soon as it can', (given) => toStatesLanguage(given)],
  ['level by level', byLevels],
]

const at = (call: number) => ({ key: `runs/${call}`, rows: 1, bytes: 2, sha256: 'a'.repeat(64) })

interface Ended extends ExecutionResult {
  readonly steps: Readonly<Record<string, StepOutcome>>
  readonly calls: readonly ReconcileInput[]
}

async function outcomeOf(
  { definition, machines }: CompiledWorkflow,
  compare: (input: ReconcileInput) => ReconcileOutput,
  input: object = {},
): Promise<Ended> {
  const calls: ReconcileInput[] = []
  let steps: FinishInput['steps'] = {}
  const result = await execute(definition, input, {
    clock: new VirtualClock(Date.UTC(2026, 0, 2, 3)),
    machines,
    executionName: 'run-1',
    executor: {
      async invoke(name, payload) {
        if (name === 'DrayFinish') {
          ;({ steps } = payload as FinishInput)
          const succeeded = Object.values(steps).every(({ status }) => status === 'success')
          return { status: succeeded ? 'success' : 'failed' }
        }
        if (name !== 'DrayReconcile') return {}
        calls.push(payload as ReconcileInput)
        return compare(payload as ReconcileInput)
      },
    },
  })
  return { ...result, steps, calls }
}

for (const [way, compile] of ways) {
  const mart = taskNamed('mart')
  const checking = compile(
    workflow('checking', {
      steps: [
        comparisonNamed('orders', { deep: true, failAbove: 5 }),
        comparisonNamed('customers'),
        run(mart, { after: ['reconcile-orders'] }),
      ],
    }),
  )

  test(`${way}: a comparison is called until it is done, each time with where it has come`, async () => {
    const { status, steps, calls } = await outcomeOf(checking, ({ pipeline, call }) => ({
      at: pipeline === 'orders' && call < 3 ? at(call) : null,
      call,
    }))

    const success = { status: 'success', reason: null }
    assert.equal(status, 'SUCCEEDED')
    assert.deepEqual(steps, { 'reconcile-orders': success, 'reconcile-customers': success, mart: success })
    const ofOrders = calls.filter(({ pipeline }) => pipeline === 'orders')
    assert.deepEqual(
      ofOrders.map((input) => [input.call, input.at]),
      [
        [1, null],
        [2, at(1)],
        [3, at(2)],
      ],
    )
    const { step, deep, fail_above, mode, only, run: reference } = ofOrders[2] as ReconcileInput
    assert.deepEqual([step, deep, fail_above, mode, only], ['reconcile-orders', true, 5, null, null])
    assert.deepEqual([reference.id, reference.workflow], ['run-1', 'checking'])
  })

  test(`${way}: one that fails is said to have, and what comes after it is skipped`, async () => {
    const { status, steps } = await outcomeOf(checking, ({ pipeline, call }) => {
      if (pipeline === 'orders' && call === 2) throw errorNamed('Terminal', 'too many rows differ')
      return { at: pipeline === 'orders' ? at(call) : null, call }
    })

    assert.equal(status, 'FAILED')
    assert.deepEqual(Object.fromEntries(Object.entries(steps).map(([name, one]) => [name, one.status])), {
      'reconcile-orders': 'failed',
      'reconcile-customers': 'success',
      mart: 'skipped',
    })
    assert.match(steps['reconcile-orders']?.reason ?? '', /Terminal: too many rows differ/)
  })

  test(`${way}: one that the run was not asked for is left out`, async () => {
    const { status, calls } = await outcomeOf(checking, ({ call }) => ({ at: null, call }), {
      only: ['reconcile-customers'],
    })

    assert.equal(status, 'SUCCEEDED')
    assert.deepEqual(
      calls.map(({ pipeline }) => pipeline),
      ['customers'],
    )
  })

  for (const comparisons of [1, 40, 300]) {
    test(`${way}: the history has room for ${comparisons} comparisons that take all their calls, half of them twice`, async () => {
      const names = Array.from({ length: comparisons }, (_, index) => `table-${index}`)
      const all = compile(workflow('all', { steps: names.map((name) => comparisonNamed(name)) }))
      const tried = new Set<string>()

      const { status, calls, historyEvents } = await outcomeOf(all, ({ pipeline, call, calls: most }) => {
        const name = `${pipeline} ${call}`
        if (call % 2 === 0 && !tried.has(name)) {
          tried.add(name)
          throw errorNamed('Transient', 'once more')
        }
        return { at: call < most ? at(call) : null, call }
      })

      assert.equal(status, 'SUCCEEDED')
      assert.equal(calls[0]?.calls, { 1: 96, 40: 25, 300: 3 }[comparisons])
      assert.ok(historyEvents < 15_000, `${historyEvents} events`)
    })
  }
}

test('a pipeline whose name is as long as can be is run and compared', () => {
  const name = 'a'.repeat(50)
  const both = workflow('both', { steps: [run(pipelineNamed(name)), comparisonNamed(name, { after: [name] })] })

  const { definition } = toStatesLanguage(both)

  assert.ok(Object.keys(definition.States).every((state) => state.length <= 80))
})
