import { formats } from '#dray/messages/formats.ts'
import { caughtReason, itemEnded, jsonata, modeOfRun, onlyOfRun, outcome } from './expressions.ts'
import { placeholderOf, written } from './placeholders.ts'
import type { State, Template } from './states-language.ts'
import { catchEverything, catchInItem, type Onward, taskState } from './task-policy.ts'
import { endOfStep, gateStates, stateName } from './task-states.ts'
import type { WorkflowStep } from './workflow.ts'

/** A day of calls that last a quarter of an hour each. */
const MOST_CALLS = 96
/**
 * Events of a call in the history of an execution, which holds 25,000: seven, and as many again for what is tried once
 * more. All comparisons of a workflow share these.
 */
const EVENTS_OF_A_CALL = 14
const EVENTS_OF_ALL = 14_000

/** How many calls each comparison of a workflow may take. */
export function callsOfEach(steps: readonly WorkflowStep[]): number {
  const comparisons = steps.filter(({ kind }) => kind === 'reconcile').length
  return Math.max(1, Math.min(MOST_CALLS, Math.floor(EVENTS_OF_ALL / EVENTS_OF_A_CALL / Math.max(1, comparisons))))
}

/** What the function is given of a step, apart from its run and how far it has come. */
export function comparisonOf({ name, reconciled }: WorkflowStep, calls: number) {
  if (reconciled === undefined) return null
  const { pipeline, deep, failAbove } = reconciled
  return { step: name, pipeline, deep, fail_above: failAbove, calls }
}

/**
 * All states of a comparison: its function is called until it has come to the end, each time with where the call before
 * has left off.
 */
export function reconcileStates(step: WorkflowStep, calls: number, onward: Onward): [name: string, state: State][] {
  const { name } = step
  const state = (part: string) => stateName(name, part)
  return [
    ...gateStates(step, onward),
    [
      state('run'),
      taskState({
        stage: 'reconcile',
        functionName: functionName(),
        payload: payloadOf({ ...comparisonOf(step, calls) }),
        output: {
          run: jsonata('$states.input.run'),
          steps: jsonata('$states.input.steps'),
          compared: jsonata('$states.result.Payload'),
        },
        catchers: catchEverything(state('failed')),
        onward: { Next: state('done?') },
      }),
    ],
    [state('done?'), doneState(state('done'), state('run'))],
    [state('done'), endOfStep(name, outcome('success', null), onward)],
    [state('failed'), endOfStep(name, outcome('failed', caughtReason), onward)],
  ]
}

/** The same of an item of a level, whose `compares` says what is compared. */
export function reconcileItemStates(group: string): Record<string, State> {
  const state = (part: string) => `${group}: ${part}`
  const compares = Object.fromEntries(
    ['step', 'pipeline', 'deep', 'fail_above', 'calls'].map((of) => [of, jsonata(`$states.input.compares.${of}`)]),
  )
  return {
    [state('compare')]: taskState({
      stage: 'reconcile',
      functionName: functionName(),
      payload: payloadOf(compares),
      output: {
        run: jsonata('$states.input.run'),
        step: jsonata('$states.input.step'),
        compares: jsonata('$states.input.compares'),
        compared: jsonata('$states.result.Payload'),
      },
      catchers: catchInItem(state('task failed')),
      onward: { Next: state('compared?') },
    }),
    [state('compared?')]: doneState(state('compared'), state('compare')),
    [state('compared')]: { Type: 'Pass', Output: itemEnded(outcome('success', null)), End: true },
  }
}

function functionName(): string {
  return written(placeholderOf('dray', 'reconcile'))
}

function payloadOf(comparison: { readonly [name: string]: Template }): Template {
  return {
    version: formats.message,
    run: jsonata('$states.input.run'),
    ...comparison,
    mode: modeOfRun,
    only: onlyOfRun,
    at: jsonata('$exists($states.input.compared) ? $states.input.compared.at : null'),
    call: jsonata('$exists($states.input.compared) ? $states.input.compared.call + 1 : 1'),
  }
}

function doneState(done: string, again: string): State {
  return {
    Type: 'Choice',
    Choices: [{ Condition: jsonata('$states.input.compared.at = null'), Next: done }],
    Default: again,
  }
}
