import { formats } from '#dray/messages/formats.ts'
import { executionSuffix } from '#dray/messages/step-name.ts'
import {
  caughtReasonOfMany,
  inputOfPipeline,
  itemEnded,
  itemFulfilled,
  itemLeftOut,
  itemOfGroup,
  itemSkipped,
  jsonata,
  onlyOfRun,
  outcome,
  outcomeInResult,
  toldFault,
} from './expressions.ts'
import { lostState } from './lost-state.ts'
import { machineOfStep, placeholderOf, written } from './placeholders.ts'
import { comparisonOf } from './reconcile-states.ts'
import type { MapState, State, Template } from './states-language.ts'
import { anyFault, catchEverything, catchInItem, type Onward, pipelineState, taskState } from './task-policy.ts'
import type { WorkflowStep } from './workflow.ts'

/** Pipelines of one run that work at once. */
export const MOST_AT_ONCE = 20

/**
 * Pipelines that may run at once, as one Map over them, whose length does not grow with what is done for each: a gate
 * (was the run asked for it, has what it waits for succeeded), its machine under the run's name, and how it ended where
 * it did not succeed. The outcome of each is under `steps`.
 */
export function pipelinesStates(
  group: string,
  pipelines: readonly WorkflowStep[],
  steps: readonly WorkflowStep[],
  onward: Onward,
): [string, State][] {
  const dependencies = [...new Set(pipelines.flatMap(({ after }) => after))]
  const lost = `${group}: lost`
  const state: MapState = {
    Type: 'Map',
    Items: pipelines.map((step) => itemOf(step, steps)),
    MaxConcurrency: MOST_AT_ONCE,
    ItemSelector: itemOfGroup(dependencies),
    ItemProcessor: {
      ProcessorConfig: { Mode: 'INLINE' },
      StartAt: `${group}: due`,
      States: itemStates(group, `${group}: run`),
    },
    Catch: catchEverything(lost),
    Output: {
      run: jsonata('$states.input.run'),
      steps: jsonata('$merge($append($states.result, $states.input.steps))'),
    },
    ...onward,
  }
  return [
    [group, state],
    [
      lost,
      lostState(
        pipelines.map(({ name }) => name),
        onward,
      ),
    ],
  ]
}

/** What a Map over steps is given of one. */
export function itemOf(step: WorkflowStep, steps: readonly WorkflowStep[] = [], calls = 0): Template {
  const { kind, name, after, entity = null } = step
  const own = steps.filter((one) => kind === 'replica' && one.of === name).map((one) => one.name)
  const compares = comparisonOf(step, calls)
  return {
    step: name,
    after,
    ...(kind === 'task' ? { function: written(placeholderOf(name, 'run')) } : {}),
    ...(kind === 'task' || kind === 'reconcile' ? {} : { machine: written(machineOfStep(step)) }),
    ...(kind === 'table' ? { suffix: executionSuffix(name) } : {}),
    ...(kind === 'replica' ? { except: own } : {}),
    ...(entity === null ? {} : { entity }),
    ...(compares === null ? {} : { compares }),
  }
}

/** What is done for a pipeline of a group; `work` is where one goes that is due. */
export function itemStates(group: string, work: string): Record<string, State> {
  const named = (part: string) => `${group}: ${part}`
  return {
    [named('due')]: {
      Type: 'Choice',
      Choices: [
        { Condition: itemLeftOut, Next: named('left out') },
        { Condition: itemFulfilled, Next: work },
      ],
      Default: named('skipped'),
    },
    [named('left out')]: { Type: 'Pass', Output: {}, End: true },
    [named('skipped')]: { Type: 'Pass', Output: itemSkipped, End: true },
    [named('run')]: pipelineState({
      machine: jsonata('$states.input.machine'),
      input: inputOfPipeline,
      output: itemEnded(outcome('success', null)),
      catchers: catchInItem(named('outcome')),
      onward: { End: true },
    }),
    [named('outcome')]: askedOutcome({
      only: onlyOfRun,
      output: itemEnded(outcomeInResult),
      next: named('failed'),
    }),
    [named('failed')]: { Type: 'Pass', Output: itemEnded(outcome('failed', caughtReasonOfMany)), End: true },
  }
}

/**
 * How the pipeline of an item ended that did not succeed: from the state table, since what a failed execution says of
 * itself may be cut off, or missing.
 */
export function askedOutcome({
  only,
  output,
  next,
}: {
  readonly only: string
  readonly output: Template
  /** Where one goes if nobody can say. */
  readonly next: string
}): State {
  return taskState({
    stage: 'outcome',
    functionName: written(placeholderOf('dray', 'outcome')),
    payload: {
      version: formats.message,
      run: jsonata('$states.input.run'),
      pipeline: jsonata('$states.input.step'),
      only,
      outcome: null,
      fault: jsonata(toldFault),
    },
    output,
    retry: anyFault,
    catchers: catchInItem(next),
    onward: { End: true },
  })
}
