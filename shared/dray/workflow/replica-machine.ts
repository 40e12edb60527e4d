import * as z from 'zod'
import { formats } from '#dray/messages/formats.ts'
import { replicaRunInput } from '#dray/messages/run-input.ts'
import { checkedStart } from './checked-start.ts'
import { exceptOfRun, inputOfTable, jsonata, modeOfRun, onlyOfRun, tablesOfRun, toldFault } from './expressions.ts'
import {
  type CompiledPipeline,
  endStates,
  refusedStates,
  runOfAnother,
  runOfExecution,
  subjectOf,
} from './pipeline-machine.ts'
import { functionsOfReplica, placeholderOf, written } from './placeholders.ts'
import type { ChoiceState, MapState, State, StateMachine, States } from './states-language.ts'
import {
  anyFault,
  catchers,
  catchInItem,
  catchInPipeline,
  PIPELINE_TIMEOUT_SECONDS,
  pipelineState,
  readerRetrier,
  taskState,
} from './task-policy.ts'

/**
 * Compiles a replica to the state machine Tables → Map over tables → Gather. Each table's pipeline is an execution of
 * its own, the largest first; one that fails leaves the others alone, and Gather says how all of them ended.
 */
export function replicaMachine(name: string): CompiledPipeline {
  const subject = subjectOf(name)
  const definition: StateMachine = {
    Comment: `${name}, compiled from its replicate()`,
    QueryLanguage: 'JSONata',
    TimeoutSeconds: PIPELINE_TIMEOUT_SECONDS,
    StartAt: 'Start',
    States: Object.fromEntries([
      ...checkedStart({
        name,
        run: jsonata(runOfExecution(subject)),
        schema: z.toJSONSchema(replicaRunInput, { io: 'input' }),
        misfit: runOfAnother(name),
        next: 'Tables',
      }),
      ...workStates(name),
      ...endStates(subject),
    ]),
  }
  return { name, definition, functions: functionsOfReplica() }
}

function workStates(name: string): [string, State][] {
  const run = jsonata('$states.input.run')
  const tables = taskState({
    stage: 'tables',
    functionName: written(placeholderOf('dray', 'tables')),
    payload: {
      version: formats.message,
      run,
      pipeline: name,
      mode: modeOfRun,
      only: onlyOfRun,
      tables: tablesOfRun,
      except: exceptOfRun,
    },
    output: { run, plan: jsonata('$states.result.Payload') },
    catchers: catchInPipeline('LeaseHeld'),
    onward: { Next: 'Width' },
  })
  const gather = taskState({
    stage: 'gather',
    functionName: written(placeholderOf('dray', 'gather')),
    payload: { version: formats.message, run, pipeline: name, plan: jsonata('$states.input.plan.plan') },
    output: { run, outcome: jsonata('$states.result.Payload') },
    catchers: catchInPipeline(),
    onward: { Next: 'Of a workflow?' },
  })
  return [
    ['Tables', tables],
    ['Width', widthState()],
    ['Pipelines', inlineState(name)],
    ['Distributed', distributedState(name)],
    ['Gather', gather],
    ...refusedStates(),
  ]
}

function widthState(): ChoiceState {
  const isDistributed = jsonata('$states.input.plan.distributed = true')
  return { Type: 'Choice', Choices: [{ Condition: isDistributed, Next: 'Distributed' }], Default: 'Pipelines' }
}

/** What a Map does with each table. */
const perTable: Pick<MapState, 'MaxConcurrency' | 'ItemSelector'> = {
  MaxConcurrency: jsonata('$states.input.plan.concurrency'),
  ItemSelector: {
    run: jsonata('$states.input.run'),
    step: jsonata('$states.context.Map.Item.Value.step'),
    suffix: jsonata('$states.context.Map.Item.Value.suffix'),
    // In an execution of a Distributed Map, what the execution was asked for is not to be seen.
    mode: modeOfRun,
    only: onlyOfRun,
  },
}

function inlineState(name: string): MapState {
  return {
    Type: 'Map',
    Items: jsonata('$states.input.plan.tables'),
    ...perTable,
    ItemProcessor: { ProcessorConfig: { Mode: 'INLINE' }, ...statesOfTable(name, '') },
    Catch: catchInPipeline(),
    Output: jsonata('$states.input'),
    Next: 'Gather',
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
    ...perTable,
    ItemProcessor: {
      ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
      ...statesOfTable(name, 'Distributed '),
    },
    Retry: [readerRetrier],
    Catch: catchInPipeline(),
    Output: jsonata('$states.input'),
    Next: 'Gather',
  }
}

/** A table that fails is none of the others' concern: that it did is written, for Gather to find. */
function statesOfTable(name: string, prefix: string): States {
  const [work, told, lost] =
    prefix === ''
      ? ['Pipeline', 'Pipeline outcome', 'Pipeline left']
      : ['Distributed pipeline', 'Distributed outcome', 'Distributed left']
  return {
    StartAt: work,
    States: {
      [work]: pipelineState({
        machine: written(placeholderOf(name, 'table-machine')),
        input: inputOfTable,
        output: {},
        catchers: catchers(told, {
          run: jsonata('$states.input.run'),
          step: jsonata('$states.input.step'),
          only: jsonata('$states.input.only'),
          error: jsonata('$states.errorOutput'),
        }),
        onward: { End: true },
      }),
      [told]: taskState({
        stage: 'outcome',
        functionName: written(placeholderOf('dray', 'outcome')),
        payload: {
          version: formats.message,
          run: jsonata('$states.input.run'),
          pipeline: jsonata('$states.input.step'),
          only: jsonata('$states.input.only'),
          outcome: null,
          fault: jsonata(toldFault),
        },
        output: {},
        retry: anyFault,
        catchers: catchInItem(lost),
        onward: { End: true },
      }),
      [lost]: { Type: 'Pass', Output: {}, End: true },
    },
  }
}
