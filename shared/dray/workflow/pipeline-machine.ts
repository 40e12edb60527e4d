import type * as z from 'zod'
import { formats } from '#dray/messages/formats.ts'
import { pipelineRunInput, tableRunInput } from '#dray/messages/run-input.ts'
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
  tableOfExecution,
} from './expressions.ts'
import { type FunctionReference, functionsOfPipeline, placeholderOf, written } from './placeholders.ts'
import type { MapState, PassState, State, StateMachine, States } from './states-language.ts'
import { catchInPipeline, type Onward, PIPELINE_TIMEOUT_SECONDS, taskState } from './task-policy.ts'
import { wideMapStates } from './wide-map.ts'

/** A pipeline's machine, the same for Step Functions and the local interpreter; functions are `${placeholders}`. */
export interface CompiledPipeline {
  readonly name: string
  readonly definition: StateMachine
  readonly functions: readonly FunctionReference[]
}

/** Of which pipeline a machine is: its name, the expression of it, and that within an expression. */
export interface Subject {
  /** Of the folder that has its handlers. */
  readonly folder: string
  readonly name: string
  readonly pipeline: string
  readonly inExpression: string
}

/**
 * Compiles a pipeline to the state machine Plan → Map over partitions → Commit. A workflow's machine starts it under
 * the run's name; a person may start it by hand, and then it ends the run, too. However it ends, it says so in the
 * state table.
 */
export function pipelineMachine(name: string): CompiledPipeline {
  return compiled(subjectOf(name), `${name}, compiled from its pipeline()`, pipelineRunInput)
}

export function subjectOf(name: string): Subject {
  return { folder: name, name, pipeline: name, inExpression: JSON.stringify(name) }
}

/** The same of any table of a replica: which one, its input says. */
export function tableMachine(replica: string): CompiledPipeline {
  const subject = {
    folder: replica,
    name: `${replica}/*`,
    pipeline: tableOfExecution,
    inExpression: '$states.context.Execution.Input.pipeline',
  }
  return compiled(subject, `a table of ${replica}, compiled from its replicate()`, tableRunInput)
}

function compiled(subject: Subject, comment: string, schema: z.ZodType): CompiledPipeline {
  const { folder, name } = subject
  const definition: StateMachine = {
    Comment: comment,
    QueryLanguage: 'JSONata',
    TimeoutSeconds: PIPELINE_TIMEOUT_SECONDS,
    StartAt: 'Start',
    States: Object.fromEntries([
      ...checkedStart({
        name,
        run: jsonata(runOfExecution(subject)),
        schema,
        misfit: runOfAnother(name),
        next: 'Plan',
      }),
      ...workStates(subject),
      ...endStates(subject),
    ]),
  }
  return { name, definition, functions: functionsOfPipeline(folder) }
}

/** That of the workflow, whose name the execution bears; started by hand it is a run of the pipeline alone. */
export function runOfExecution({ inExpression }: Subject): string {
  return (
    '$exists($states.input.run.id) ? $states.input.run : ' +
    `{"id": $states.context.Execution.Name, "workflow": ${inExpression}, ` +
    '"started_at": $states.context.Execution.StartTime, ' +
    '"trigger": $type($states.input.trigger) = "string" ? $states.input.trigger : "manual"}'
  )
}

/** Copied from the input of an earlier execution: what is written of that run would be overwritten. */
export function runOfAnother(name: string): string {
  const sentence = `run is that of another execution: leave it out, and this one is a run of ${name} alone`
  return (
    '$exists($states.input.run) and ' +
    '$substring($states.context.Execution.Name, 0, $length($states.input.run.id)) != $states.input.run.id ? ' +
    `${JSON.stringify(sentence)} : ""`
  )
}

function workStates(subject: Subject): [string, State][] {
  const { pipeline } = subject
  const plan = taskState({
    stage: 'plan',
    functionName: written(placeholderOf('dray', 'plan')),
    payload: {
      version: formats.message,
      run: jsonata('$states.input.run'),
      pipeline,
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
      pipeline,
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
    ...wideMapStates({
      name: 'Partitions',
      items: 'partitions',
      perItem: perPartition(subject),
      statesOfItem: (isDistributed) => stagesOf(subject, isDistributed),
      next: 'Commit',
    }),
    ['Commit', commit],
    ...refusedStates(),
  ]
}

/** How an execution goes on that did not come to its Commit. */
export function refusedStates(): [string, State][] {
  return [
    ['Refused', endedState('refused')],
    ['Failed', endedState('failed')],
  ]
}

function endedState(status: 'refused' | 'failed'): PassState {
  const ending = jsonata(outcome(status, caughtReason))
  return { Type: 'Pass', Output: { run: jsonata('$states.input.run'), outcome: ending }, Next: 'Outcome' }
}

/** A run that a person has started ends with its pipeline; that of a workflow goes on. */
export function endStates({ pipeline, inExpression }: Subject): [string, State][] {
  const run = jsonata('$states.input.run')
  const ending = jsonata('$states.input.outcome')
  const told = taskState({
    stage: 'outcome',
    functionName: written(placeholderOf('dray', 'outcome')),
    payload: { version: formats.message, run, pipeline, only: onlyOfRun, outcome: ending, fault: null },
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
    payload: {
      version: formats.message,
      run,
      steps: jsonata(`{${inExpression}: $states.input.outcome}`),
      only: onlyOfRun,
    },
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

/** What a Map does with each item. */
function perPartition({ pipeline }: Subject): Pick<MapState, 'MaxConcurrency' | 'ItemSelector'> {
  return {
    MaxConcurrency: jsonata('$states.input.plan.concurrency'),
    ItemSelector: {
      version: formats.message,
      run: jsonata('$states.input.run'),
      pipeline,
      plan: jsonata('$states.input.plan.plan'),
      epoch: jsonata('$states.input.plan.epoch'),
      planned_by: planningRun,
      partition: jsonata('$states.context.Map.Item.Value.partition'),
    },
  }
}

/** Extract, transform and load of one partition. What comes out is collected by the Map, so it is small. */
function stagesOf({ folder }: Subject, isDistributed: boolean): States {
  const [extract, transform, load] = isDistributed
    ? ['Distributed extract', 'Distributed transform', 'Distributed load']
    : ['Extract', 'Transform', 'Load']
  const stage = (part: 'extract' | 'transform' | 'load', output: string, onward: Onward) =>
    taskState({
      stage: part,
      functionName: written(placeholderOf(folder, part)),
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
