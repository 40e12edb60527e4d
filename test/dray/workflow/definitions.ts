import type { State, StateMachine, States, Template } from 'dray/internal/workflow/states-language.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import { run, workflow } from 'dray/internal/workflow/workflow.ts'
import { isExpression, stringsOf } from 'dray-infra/internal/states-language/expression.ts'
import fc from 'fast-check'
import { nightly } from '#test/fixture/infra/workflows/nightly.ts'
import { pipelineNamed, taskNamed } from './units.ts'

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

/** A task that waits for very many: what grows with the steps is at its largest. */
function wide(): StateMachine {
  const before = Array.from({ length: 120 }, (_, index) => taskNamed(`before-${index}`))
  const { definition } = toStatesLanguage(
    workflow('wide', { steps: [...before.map((task) => run(task)), run(taskNamed('last'), { after: before })] }),
  )
  return definition
}

export function randomDefinitions(count = 25): readonly StateMachine[] {
  return fc.sample(dag, { seed: 11, numRuns: count }).map((any) => toStatesLanguage(any).definition)
}

/** The fixture's workflow, one of very many steps, and any others. */
export function someDefinitions(others = 25): readonly StateMachine[] {
  return [toStatesLanguage(nightly).definition, wide(), ...randomDefinitions(others)]
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
