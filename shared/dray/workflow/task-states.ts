import { formats } from '#dray/messages/formats.ts'
import {
  allFulfilled,
  caughtReason,
  jsonata,
  leftOut,
  modeOfRun,
  onlyOfRun,
  outcome,
  skippedReason,
  stepsWith,
} from './expressions.ts'
import { placeholderOf, written } from './placeholders.ts'
import type { PassState, State } from './states-language.ts'
import { catchEverything, type Onward, taskState } from './task-policy.ts'
import type { WorkflowStep } from './workflow.ts'

/** The name of a step's state: `data-mart` for its gate, `data-mart: run` for the others. */
export function stateName(step: string, part: string): string {
  return `${step}: ${part}`
}

/** All states of a task; each way through them ends in one that goes `onward` with the step's outcome under `steps`. */
export function taskStates(step: WorkflowStep, onward: Onward): [name: string, state: State][] {
  return [...gateStates(step, onward), ...workStates(step, onward)]
}

/**
 * The state at which a step is entered, of its name: whether the run was asked for it, and what it waits for has
 * succeeded.
 */
export function gateStates(step: WorkflowStep, onward: Onward): [string, State][] {
  const { name, after } = step
  const aside = stateName(name, 'left out')
  const skipped = stateName(name, 'skipped')
  const leave = { Condition: leftOut(name), Next: aside }
  const leftOutState: [string, State] = [aside, { Type: 'Pass', ...onward }]
  if (after.length === 0) {
    return [[name, { Type: 'Choice', Choices: [leave], Default: stateName(name, 'run') }], leftOutState]
  }
  const enter = { Condition: allFulfilled(after), Next: stateName(name, 'run') }
  return [
    [name, { Type: 'Choice', Choices: [leave, enter], Default: skipped }],
    leftOutState,
    [skipped, endOfStep(name, outcome('skipped', skippedReason(after)), onward)],
  ]
}

export function endOfStep(step: string, ending: string, onward: Onward): PassState {
  return { Type: 'Pass', Output: { run: jsonata('$states.input.run'), steps: stepsWith(step, ending) }, ...onward }
}

function workStates({ name }: WorkflowStep, onward: Onward): [string, State][] {
  return [
    [
      stateName(name, 'run'),
      taskState({
        stage: 'run',
        functionName: written(placeholderOf(name, 'run')),
        payload: {
          version: formats.message,
          run: jsonata('$states.input.run'),
          task: name,
          mode: modeOfRun,
          only: onlyOfRun,
        },
        output: { run: jsonata('$states.input.run'), steps: stepsWith(name, outcome('success', null)) },
        catchers: catchEverything(stateName(name, 'failed')),
        onward,
      }),
    ],
    [stateName(name, 'failed'), endOfStep(name, outcome('failed', caughtReason), onward)],
  ]
}
