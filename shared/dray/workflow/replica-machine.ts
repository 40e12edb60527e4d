import { formats } from '#dray/messages/formats.ts'
import { replicaRunInput } from '#dray/messages/run-input.ts'
import { checkedStart } from './checked-start.ts'
import { exceptOfRun, inputOfTable, jsonata, modeOfRun, onlyOfRun, tablesOfRun } from './expressions.ts'
import {
  type CompiledPipeline,
  endStates,
  refusedStates,
  runOfAnother,
  runOfExecution,
  subjectOf,
} from './pipeline-machine.ts'
import { askedOutcome } from './pipeline-states.ts'
import { functionsOfReplica, placeholderOf, written } from './placeholders.ts'
import type { MapState, State, StateMachine, States } from './states-language.ts'
import { catchers, catchInPipeline, PIPELINE_TIMEOUT_SECONDS, pipelineState, taskState } from './task-policy.ts'
import { wideMapStates } from './wide-map.ts'

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
        schema: replicaRunInput,
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
    ...wideMapStates({
      name: 'Pipelines',
      items: 'tables',
      perItem: perTable,
      statesOfItem: (isDistributed) => statesOfTable(name, isDistributed),
      next: 'Gather',
    }),
    ['Gather', gather],
    ...refusedStates(),
  ]
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

/** A table that fails is none of the others' concern: that it did is written, for Gather to find. */
function statesOfTable(name: string, isDistributed: boolean): States {
  const [work, told, lost] = isDistributed
    ? ['Distributed pipeline', 'Distributed outcome', 'Distributed left']
    : ['Pipeline', 'Pipeline outcome', 'Pipeline left']
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
      [told]: askedOutcome({ only: jsonata('$states.input.only'), output: {}, next: lost }),
      [lost]: { Type: 'Pass', Output: {}, End: true },
    },
  }
}
