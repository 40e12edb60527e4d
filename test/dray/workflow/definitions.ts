import type { State, StateMachine, States, Template } from 'dray/internal/workflow/states-language.ts'
import { type CompiledWorkflow, toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, type Workflow, workflow } from 'dray/internal/workflow/workflow.ts'
import { isExpression, stringsOf } from 'dray-infra/internal/states-language/expression.ts'
import fc from 'fast-check'
import { nightly } from '#test/fixture/infra/workflows/nightly.ts'
import { comparisonNamed, pipelineNamed, taskNamed } from './units.ts'

/** Pipelines and tasks of which each may wait for any before it. */
export const dag = fc
  .array(fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }), { minLength: 1, maxLength: 7 })
  .map((rows) =>
    workflow('any', {
      steps: rows.map((row, index) =>
        run((index % 3 === 2 ? taskNamed : pipelineNamed)(`step-${index}`), {
          after: [...Array(index).keys()].filter((other) => row[other]).map((other) => `step-${other}`),
        }),
      ),
    }),
  )

/** A step that waits for very many: what grows with the steps is at its largest. */
function wide(unitNamed: typeof taskNamed): Workflow {
  const before = Array.from({ length: 120 }, (_, index) => unitNamed(`before-${index}`))
  return workflow('wide', { steps: [...before.map((unit) => run(unit)), run(unitNamed('last'), { after: before })] })
}

/** Comparisons before, beside and behind pipelines and tasks. */
const comparing = workflow('comparing', {
  steps: [
    run(pipelineNamed('orders')),
    comparisonNamed('orders', { after: ['orders'], deep: true, failAbove: 7 }),
    comparisonNamed('customers'),
    run(taskNamed('mart'), { after: ['reconcile-orders', 'reconcile-customers'] }),
  ],
})

/** The same, as if no definition in which each step starts as soon as it can were small enough. */
export function byLevels(given: Workflow): CompiledWorkflow {
  return toStatesLanguage(given, () => false)
}

/** The machine of each workflow, and those of their pipelines, once each. */
export function definitionsOf(
  workflows: readonly Workflow[],
  compile: (given: Workflow) => CompiledWorkflow = (given) => toStatesLanguage(given),
): readonly StateMachine[] {
  const compiled = workflows.map(compile)
  const pipelines = new Map(compiled.flatMap(({ machines }) => [...machines]))
  return [
    ...compiled.map(({ definition }) => definition),
    ...[...pipelines.values()].map(({ definition }) => definition),
  ]
}

export function randomWorkflows(count = 25): readonly Workflow[] {
  return fc.sample(dag, { seed: 11, numRuns: count })
}

/** Of the fixture's workflow, two of very many steps, and any others; also of workflows that run level by level. */
export function someDefinitions(others = 25): readonly StateMachine[] {
  const large = toStatesLanguage(wide(pipelineNamed)).definition
  const levels = [nightly, comparing, wide(taskNamed)].map((each) => byLevels(each).definition)
  return [...definitionsOf([nightly, comparing, wide(taskNamed), ...randomWorkflows(others)]), large, ...levels]
}

export function allStates(states: States): [string, State][] {
  return Object.entries(states.States).flatMap(([name, state]): [string, State][] => {
    const inside = state.Type === 'Map' ? [state.ItemProcessor] : state.Type === 'Parallel' ? state.Branches : []
    return [[name, state], ...inside.flatMap(allStates)]
  })
}

/** Every expression of a definition, without its brackets, once. */
export function expressionsOf(definition: StateMachine): readonly string[] {
  const texts = stringsOf(definition as unknown as Template).filter(isExpression)
  return [...new Set(texts)].map((text) => text.slice(2, -2).trim())
}
