import * as z from 'zod'
import { formats } from '#dray/messages/formats.ts'
import { pipelineRunInput } from '#dray/messages/run-input.ts'
import { checkedStart } from './checked-start.ts'
import {
  caughtReason,
  entitiesOfRun,
  isOfWorkflow,
  jsonata,
  modeOfRun,
  onlyOfRun,
  outcome,
  planningRun,
} from './expressions.ts'
import { type FunctionReference, functionsOfPipeline, placeholderOf, written } from './placeholders.ts'
import type { ChoiceState, MapState, PassState, State, StateMachine, States } from './states-language.ts'
import { catchInPipeline, type Onward, PIPELINE_TIMEOUT_SECONDS, readerRetrier, taskState } from './task-policy.ts'

/** A pipeline's machine, the same for Step Functions and the local interpreter; functions are `${placeholders}`. */
export interface CompiledPipeline {
  readonly name: string
  readonly definition: StateMachine
  readonly functions: readonly FunctionReference[]
}

/**
 * Compiles a pipeline to the state machine Plan → Map over partitions → Commit. A workflow's machine starts it under
 * the run's name; a person may start it by hand, and then it ends the run, too. However it ends, it says so in the
 * state table.
 */
export function pipelineMachine(name: string): CompiledPipeline {
  const definition: StateMachine = {
    Comment: `${name}, compiled from its pipeline()`,
    QueryLanguage: 'JSONata',
    TimeoutSeconds: PIPELINE_TIMEOUT_SECONDS,
    StartAt: 'Start',
    States: Object.fromEntries([
      ...checkedStart({
        name,
        run: jsonata(runOfExecution(name)),
        schema: z.toJSONSchema(pipelineRunInput, { io: 'input' }),
        misfit: runOfAnother(name),
        next: 'Plan',
      }),
      ...workStates(name),
      ...endStates(name),
    ]),
  }
  return { name, definition, functions: functionsOfPipeline(name) }
}

/** That of the workflow, whose name the execution bears; started by hand it is a run of the pipeline alone. */
function runOfExecution(name: string): string {
  return (
    '$exists($states.input.run.id) ? $states.input.run : ' +
    `{"id": $states.context.Execution.Name, "workflow": ${JSON.stringify(name)}, ` +
    '"started_at": $states.context.Execution.StartTime, ' +
    '"trigger": $type($states.input.trigger) = "string" ? $states.input.trigger : "manual"}'
  )
}

/** Copied from the input of an earlier execution: what is written of that run would be overwritten. */
function runOfAnother(name: string): string {
  const sentence = `run is that of another execution: leave it out, and this one is a run of ${name} alone`
  return (
    '$exists($states.input.run) and $states.input.run.id != $states.context.Execution.Name ? ' +
    `${JSON.stringify(sentence)} : ""`
  )
}

function workStates(name: string): [string, State][] {
  const plan = taskState({
    stage: 'plan',
    functionName: written(placeholderOf('dray', 'plan')),
    payload: {
      version: formats.message,
      run: jsonata('$states.input.run'),
      pipeline: name,
      mode: modeOfRun,
      only: onlyOfRun,
      entities: entitiesOfRun,
    },
    output: { run: jsonata('$states.input.run'), plan: jsonata('$states.result.Payload') },
    catchers: catchInPipeline('LeaseHeld'),
    onward: { Next: 'Width' },
  })
  const commit = taskState({
    stage: 'commit',
    functionName: written(placeholderOf('dray', 'commit')),
    payload: {
      version: formats.message,
      run: jsonata('$states.input.run'),
      pipeline: name,
      plan: jsonata('$states.input.plan.plan'),
      epoch: jsonata('$states.input.plan.epoch'),
      planned_by: planningRun,
    },
    output: { run: jsonata('$states.input.run'), outcome: { status: 'success', reason: null } },
    catchers: catchInPipeline(),
    onward: { Next: 'Of a workflow?' },
  })
  return [
    ['Plan', plan],
    ['Width', widthState()],
    ['Partitions', inlineState(name)],
    ['Distributed', distributedState(name)],
    ['Commit', commit],
    ['Refused', endedState('refused')],
    ['Failed', endedState('failed')],
  ]
}

function endedState(status: 'refused' | 'failed'): PassState {
  const ending = jsonata(outcome(status, caughtReason))
  return { Type: 'Pass', Output: { run: jsonata('$states.input.run'), outcome: ending }, Next: 'Outcome' }
}

/** A run that a person has started ends with its pipeline; that of a workflow goes on. */
function endStates(name: string): [string, State][] {
  const run = jsonata('$states.input.run')
  const ending = jsonata('$states.input.outcome')
  const told = taskState({
    stage: 'outcome',
    functionName: written(placeholderOf('dray', 'outcome')),
    payload: { version: formats.message, run, pipeline: name, only: onlyOfRun, outcome: ending, fault: null },
    output: { run, outcome: jsonata('$states.result.Payload') },
    // That it could not be written makes it no less true: the workflow's machine, or Finish, tries once more.
    catchers: ['States.DataLimitExceeded', 'States.ALL'].map((error) => ({
      ErrorEquals: [error],
      Output: jsonata('$states.input'),
      Next: 'Of a workflow?',
    })),
    onward: { Next: 'Of a workflow?' },
  })
  const finish = taskState({
    stage: 'finish',
    functionName: written(placeholderOf('dray', 'finish')),
    payload: { version: formats.message, run, steps: { [name]: ending }, only: onlyOfRun },
    output: jsonata('$states.input'),
    onward: { Next: 'Succeeded?' },
  })
  const hasSucceeded = jsonata('$states.input.outcome.status = "success"')
  return [
    ['Outcome', told],
    [
      'Of a workflow?',
      { Type: 'Choice', Choices: [{ Condition: isOfWorkflow, Next: 'Succeeded?' }], Default: 'Finish' },
    ],
    ['Finish', finish],
    [
      'Succeeded?',
      { Type: 'Choice', Choices: [{ Condition: hasSucceeded, Next: 'Succeeded' }], Default: 'Did not succeed' },
    ],
    ['Succeeded', { Type: 'Succeed', Output: { outcome: ending } }],
    [
      'Did not succeed',
      {
        Type: 'Fail',
        Error: jsonata('$states.input.outcome.status = "refused" ? "LeaseHeld" : "PipelineFailed"'),
        Cause: jsonata('$states.input.outcome.reason'),
      },
    ],
  ]
}

function widthState(): ChoiceState {
  const isDistributed = jsonata('$states.input.plan.distributed = true')
  return { Type: 'Choice', Choices: [{ Condition: isDistributed, Next: 'Distributed' }], Default: 'Partitions' }
}

function inlineState(name: string): MapState {
  return {
    Type: 'Map',
    Items: jsonata('$states.input.plan.partitions'),
    ...perPartition(name),
    ItemProcessor: { ProcessorConfig: { Mode: 'INLINE' }, ...stagesOf(name, '') },
    Catch: catchInPipeline(),
    Output: jsonata('$states.input'),
    Next: 'Commit',
  }
}

function distributedState(name: string): MapState {
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
      ...stagesOf(name, 'Distributed '),
    },
    Retry: [readerRetrier],
    Catch: catchInPipeline(),
    Output: jsonata('$states.input'),
    Next: 'Commit',
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
  const [extract, transform, load] =
    prefix === ''
      ? ['Extract', 'Transform', 'Load']
      : ['Distributed extract', 'Distributed transform', 'Distributed load']
  const stage = (part: 'extract' | 'transform' | 'load', output: string, onward: Onward) =>
    taskState({
      stage: part,
      functionName: written(placeholderOf(name, part)),
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
