import { formats } from '#dray/messages/formats.ts'
import {
  caughtReasonCut,
  itemEnded,
  itemOfLevel,
  jsonata,
  levelFailed,
  modeOfRun,
  onlyOfRun,
  outcome,
} from './expressions.ts'
import { itemOf, itemStates, MOST_AT_ONCE } from './pipeline-states.ts'
import { callsOfEach, reconcileItemStates } from './reconcile-states.ts'
import type { MapState, PassState, State } from './states-language.ts'
import { catchers, catchInItem, taskState } from './task-policy.ts'
import type { WorkflowStep } from './workflow.ts'

/**
 * Steps level by level, each level as one Map over its pipelines and tasks. The states are the same for any number of
 * steps, so that a definition has little more than their names; but a step waits for all of the level before.
 */
export function levelStates(levels: readonly (readonly WorkflowStep[])[], next: string): [string, State][] {
  const steps = levels.flat()
  const calls = callsOfEach(steps)
  const further = [...levels.keys()].slice(1)
  const onward = { Next: further.length === 0 ? next : 'Next level' }
  const states: MapState = {
    Type: 'Map',
    Items: jsonata('$states.input.items'),
    MaxConcurrency: MOST_AT_ONCE,
    ItemSelector: itemOfLevel,
    ItemProcessor: {
      ProcessorConfig: { Mode: 'INLINE' },
      StartAt: 'Steps: due',
      States: statesOfItem(steps.some(({ kind }) => kind === 'reconcile')),
    },
    Catch: catchers('Steps: lost', {
      run: jsonata('$states.input.run'),
      level: jsonata('$states.input.level'),
      items: jsonata('$states.input.items'),
      steps: jsonata('$states.input.steps'),
      error: jsonata('$states.errorOutput'),
    }),
    Output: ended('$merge($append($states.result, $states.input.steps))'),
    ...onward,
  }
  return [
    ...levels.map((steps, index): [string, State] => [
      levelName(index),
      levelState(steps, levels.flat(), calls, index),
    ]),
    ['Steps', states],
    ['Steps: lost', { Type: 'Pass', Output: ended(levelFailed), ...onward }],
    ...nextLevel(further, next),
  ]
}

function nextLevel(further: readonly number[], next: string): [string, State][] {
  if (further.length === 0) return []
  return [
    [
      'Next level',
      {
        Type: 'Choice',
        Choices: further.map((index) => ({
          Condition: jsonata(`$states.input.level = ${index}`),
          Next: levelName(index),
        })),
        Default: next,
      },
    ],
  ]
}

/** From 1. */
export function levelName(index: number): string {
  return `Level ${index + 1}`
}

function levelState(
  steps: readonly WorkflowStep[],
  all: readonly WorkflowStep[],
  calls: number,
  index: number,
): PassState {
  const Output = {
    run: jsonata('$states.input.run'),
    steps: jsonata('$states.input.steps'),
    level: index + 1,
    items: steps.map((step) => itemOf(step, all, calls)),
  }
  return { Type: 'Pass', Output, Next: 'Steps' }
}

function ended(steps: string) {
  return { run: jsonata('$states.input.run'), level: jsonata('$states.input.level'), steps: jsonata(steps) }
}

function statesOfItem(compares: boolean): Record<string, State> {
  return {
    ...itemStates('Steps', 'Steps: task?'),
    'Steps: task?': {
      Type: 'Choice',
      Choices: [
        { Condition: jsonata('$exists($states.input.function)'), Next: 'Steps: task' },
        ...(compares ? [{ Condition: jsonata('$exists($states.input.compares)'), Next: 'Steps: compare' }] : []),
      ],
      Default: 'Steps: run',
    },
    'Steps: task': taskState({
      stage: 'run',
      functionName: jsonata('$states.input.function'),
      payload: {
        version: formats.message,
        run: jsonata('$states.input.run'),
        task: jsonata('$states.input.step'),
        mode: modeOfRun,
        only: onlyOfRun,
      },
      output: itemEnded(outcome('success', null)),
      catchers: catchInItem('Steps: task failed'),
      onward: { End: true },
    }),
    ...(compares ? reconcileItemStates('Steps') : {}),
    'Steps: task failed': { Type: 'Pass', Output: itemEnded(outcome('failed', caughtReasonCut)), End: true },
  }
}
