import {
  allSucceeded,
  caughtReason,
  entitiesOfRun,
  jsonata,
  modeOfRun,
  outcome,
  planningRun,
  skippedReason,
  stepsWith,
} from './expressions.ts'
import { placeholderOf } from './placeholders.ts'
import type { MapState, PassState, State } from './states-language.ts'
import { catchError, catchEverything, type Onward, taskState } from './task-policy.ts'
import type { WorkflowStep } from './workflow.ts'

/** The name of a step's state: `customers` for its gate, `customers: extract` for the others. */
export function stateName(step: string, part: string): string {
  return `${step}: ${part}`
}

/** The step and the part that a state belongs to (the part is null for the gate), or null for a state of the workflow. */
export function stepOfState(state: string): { readonly step: string; readonly part: string | null } | null {
  const match = /^([a-z][a-z0-9-]*)(?:: ([a-z]+))?$/.exec(state)
  return match === null ? null : { step: match[1] as string, part: match[2] ?? null }
}

/** The name of the state at which a step is entered. */
export function entryOfStep(step: WorkflowStep): string {
  return step.after.length > 0 ? step.name : workOf(step)
}

/** All states of a step; each way through them ends in one that goes `onward` with the step's outcome under `steps`. */
export function stepStates(step: WorkflowStep, onward: Onward): [name: string, state: State][] {
  const work = step.kind === 'pipeline' ? pipelineStates(step.name, onward) : taskStates(step.name, onward)
  return [
    ...gateStates(step, onward),
    ...work,
    [stateName(step.name, 'failed'), endOfStep(step.name, outcome('failed', caughtReason), onward)],
  ]
}

function workOf(step: WorkflowStep): string {
  return stateName(step.name, step.kind === 'pipeline' ? 'plan' : 'run')
}

function gateStates(step: WorkflowStep, onward: Onward): [string, State][] {
  if (step.after.length === 0) return []
  const skipped = stateName(step.name, 'skipped')
  return [
    [
      step.name,
      { Type: 'Choice', Choices: [{ Condition: allSucceeded(step.after), Next: workOf(step) }], Default: skipped },
    ],
    [skipped, endOfStep(step.name, outcome('skipped', skippedReason(step.after)), onward)],
  ]
}

function endOfStep(step: string, ending: string, onward: Onward): PassState {
  return { Type: 'Pass', Output: { run: jsonata('$states.input.run'), steps: stepsWith(step, ending) }, ...onward }
}

function taskStates(name: string, onward: Onward): [string, State][] {
  return [
    [
      stateName(name, 'run'),
      taskState({
        stage: 'run',
        placeholder: placeholderOf(name, 'run'),
        payload: { run: jsonata('$states.input.run'), task: name, mode: modeOfRun },
        output: { run: jsonata('$states.input.run'), steps: stepsWith(name, outcome('success', null)) },
        catchers: catchEverything(stateName(name, 'failed')),
        onward,
      }),
    ],
  ]
}

function pipelineStates(name: string, onward: Onward): [string, State][] {
  const failed = stateName(name, 'failed')
  const refused = stateName(name, 'refused')
  const partitions = stateName(name, 'partitions')
  const commit = stateName(name, 'commit')
  const plan = taskState({
    stage: 'plan',
    placeholder: placeholderOf('control', 'plan'),
    payload: { run: jsonata('$states.input.run'), pipeline: name, mode: modeOfRun, entities: entitiesOfRun },
    output: {
      run: jsonata('$states.input.run'),
      steps: jsonata('$states.input.steps'),
      plan: jsonata('$states.result.Payload'),
    },
    catchers: [catchError('LeaseHeld', refused), ...catchEverything(failed)],
    onward: { Next: partitions },
  })
  return [
    [stateName(name, 'plan'), plan],
    [partitions, partitionsState(name, failed, commit)],
    [commit, commitState(name, failed, onward)],
    [refused, endOfStep(name, outcome('refused', caughtReason), onward)],
  ]
}

function partitionsState(name: string, failed: string, commit: string): MapState {
  const stage = (part: 'extract' | 'transform' | 'load', output: string | { partition: string }, onward: Onward) =>
    taskState({
      stage: part,
      placeholder: placeholderOf(name, part),
      payload: jsonata('$states.input'),
      output,
      onward,
    })
  const result = jsonata('$states.result.Payload')
  return {
    Type: 'Map',
    Items: jsonata('$states.input.plan.partitions'),
    MaxConcurrency: jsonata('$states.input.plan.concurrency'),
    ItemSelector: {
      run: jsonata('$states.input.run'),
      pipeline: name,
      plan: jsonata('$states.input.plan.plan'),
      epoch: jsonata('$states.input.plan.epoch'),
      planned_by: planningRun,
      partition: jsonata('$states.context.Map.Item.Value.partition'),
    },
    ItemProcessor: {
      ProcessorConfig: { Mode: 'INLINE' },
      StartAt: stateName(name, 'extract'),
      States: {
        [stateName(name, 'extract')]: stage('extract', result, { Next: stateName(name, 'transform') }),
        [stateName(name, 'transform')]: stage('transform', result, { Next: stateName(name, 'load') }),
        [stateName(name, 'load')]: stage(
          'load',
          { partition: jsonata('$states.result.Payload.partition') },
          { End: true },
        ),
      },
    },
    Catch: catchEverything(failed),
    Output: jsonata('$states.input'),
    Next: commit,
  }
}

function commitState(name: string, failed: string, onward: Onward): State {
  return taskState({
    stage: 'commit',
    placeholder: placeholderOf('control', 'commit'),
    payload: {
      run: jsonata('$states.input.run'),
      pipeline: name,
      plan: jsonata('$states.input.plan.plan'),
      epoch: jsonata('$states.input.plan.epoch'),
      planned_by: planningRun,
    },
    output: {
      run: jsonata('$states.input.run'),
      steps: stepsWith(name, `$merge([$states.result.Payload, ${outcome('success', null)}])`),
    },
    catchers: catchEverything(failed),
    onward,
  })
}
