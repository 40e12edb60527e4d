import { formats } from '#dray/messages/formats.ts'
import {
  allFulfilled,
  caughtReason,
  entitiesOfRun,
  jsonata,
  leftOut,
  modeOfRun,
  onlyOfRun,
  outcome,
  planningRun,
  skippedReason,
  stepsWith,
} from './expressions.ts'
import { placeholderOf } from './placeholders.ts'
import type { ChoiceState, MapState, PassState, State, States } from './states-language.ts'
import { catchError, catchEverything, type Onward, readerRetrier, taskState } from './task-policy.ts'
import type { WorkflowStep } from './workflow.ts'

/** The name of a step's state: `customers` for its gate, `customers: extract` for the others. */
export function stateName(step: string, part: string): string {
  return `${step}: ${part}`
}

/**
 * The step and the part that a state belongs to (the part is null for the gate), or null for a state of the workflow.
 */
export function stepOfState(state: string): { readonly step: string; readonly part: string | null } | null {
  const match = /^([a-z][a-z0-9-]*)(?:: ([a-z ]+))?$/.exec(state)
  return match === null ? null : { step: match[1] as string, part: match[2] ?? null }
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

/**
 * The state at which a step is entered, of its name: whether the run was asked for it, and what it waits for has
 * succeeded.
 */
function gateStates(step: WorkflowStep, onward: Onward): [string, State][] {
  const { name, after } = step
  const aside = stateName(name, 'left out')
  const skipped = stateName(name, 'skipped')
  const leave = { Condition: leftOut(name), Next: aside }
  const leftOutState: [string, State] = [aside, { Type: 'Pass', ...onward }]
  if (after.length === 0) {
    return [[name, { Type: 'Choice', Choices: [leave], Default: workOf(step) }], leftOutState]
  }
  const enter = { Condition: allFulfilled(after), Next: workOf(step) }
  return [
    [name, { Type: 'Choice', Choices: [leave, enter], Default: skipped }],
    leftOutState,
    [skipped, endOfStep(name, outcome('skipped', skippedReason(after)), onward)],
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
  ]
}

function pipelineStates(name: string, onward: Onward): [string, State][] {
  const failed = stateName(name, 'failed')
  const refused = stateName(name, 'refused')
  const width = stateName(name, 'width')
  const partitions = stateName(name, 'partitions')
  const distributed = stateName(name, 'distributed')
  const commit = stateName(name, 'commit')
  const plan = taskState({
    stage: 'plan',
    placeholder: placeholderOf('dray', 'plan'),
    payload: {
      version: formats.message,
      run: jsonata('$states.input.run'),
      pipeline: name,
      mode: modeOfRun,
      only: onlyOfRun,
      entities: entitiesOfRun,
    },
    output: {
      run: jsonata('$states.input.run'),
      steps: jsonata('$states.input.steps'),
      plan: jsonata('$states.result.Payload'),
    },
    catchers: [catchError('LeaseHeld', refused), ...catchEverything(failed)],
    onward: { Next: width },
  })
  return [
    [stateName(name, 'plan'), plan],
    [width, widthState(distributed, partitions)],
    [partitions, inlineState(name, failed, commit)],
    [distributed, distributedState(name, failed, commit)],
    [commit, commitState(name, failed, onward)],
    [refused, endOfStep(name, outcome('refused', caughtReason), onward)],
  ]
}

/** More partitions than a payload and a history hold are read from S3. */
function widthState(distributed: string, partitions: string): ChoiceState {
  const isDistributed = jsonata('$states.input.plan.distributed = true')
  return { Type: 'Choice', Choices: [{ Condition: isDistributed, Next: distributed }], Default: partitions }
}

function inlineState(name: string, failed: string, commit: string): MapState {
  return {
    Type: 'Map',
    Items: jsonata('$states.input.plan.partitions'),
    ...perPartition(name),
    ItemProcessor: { ProcessorConfig: { Mode: 'INLINE' }, ...stagesOf(name, '') },
    Catch: catchEverything(failed),
    Output: jsonata('$states.input'),
    Next: commit,
  }
}

function distributedState(name: string, failed: string, commit: string): MapState {
  return {
    Type: 'Map',
    ItemReader: {
      Resource: 'arn:aws:states:::s3:getObject',
      ReaderConfig: { InputType: 'JSON' },
      Arguments: { Bucket: jsonata('$states.input.plan.items.bucket'), Key: jsonata('$states.input.plan.items.key') },
    },
    ...perPartition(name),
    ItemProcessor: {
      ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
      ...stagesOf(name, 'distributed '),
    },
    Retry: [readerRetrier],
    Catch: catchEverything(failed),
    Output: jsonata('$states.input'),
    Next: commit,
  }
}

/** What a Map does with each item. */
function perPartition(name: string): Pick<MapState, 'MaxConcurrency' | 'ItemSelector'> {
  return {
    MaxConcurrency: jsonata('$states.input.plan.concurrency'),
    ItemSelector: {
      version: formats.message,
      run: jsonata('$states.input.run'),
      pipeline: name,
      plan: jsonata('$states.input.plan.plan'),
      epoch: jsonata('$states.input.plan.epoch'),
      planned_by: planningRun,
      partition: jsonata('$states.context.Map.Item.Value.partition'),
    },
  }
}

/** Extract, transform and load of one partition. What comes out is collected by the Map, so it is small. */
function stagesOf(name: string, prefix: string): States {
  const [extract, transform, load] = ['extract', 'transform', 'load'].map((part) => stateName(name, prefix + part)) as [
    string,
    string,
    string,
  ]
  const stage = (part: 'extract' | 'transform' | 'load', output: string, onward: Onward) =>
    taskState({
      stage: part,
      placeholder: placeholderOf(name, part),
      payload: jsonata('$states.input'),
      output: jsonata(output),
      onward,
    })
  return {
    StartAt: extract,
    States: {
      [extract]: stage('extract', '$states.result.Payload', { Next: transform }),
      [transform]: stage('transform', '$states.result.Payload', { Next: load }),
      [load]: stage('load', '$states.result.Payload.partition', { End: true }),
    },
  }
}

function commitState(name: string, failed: string, onward: Onward): State {
  return taskState({
    stage: 'commit',
    placeholder: placeholderOf('dray', 'commit'),
    payload: {
      version: formats.message,
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
