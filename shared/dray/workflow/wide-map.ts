import { jsonata } from './expressions.ts'
import type { ChoiceState, MapState, State, States } from './states-language.ts'
import { catchInPipeline, readerRetrier } from './task-policy.ts'

/** A Map over what a plan has found: within the execution, or where there is too much of it in executions apart. */
export interface WideMap {
  /** The name of the inline state, and the field of the plan that has its items. */
  readonly name: string
  readonly items: string
  /** What is done with each item. */
  readonly perItem: Pick<MapState, 'MaxConcurrency' | 'ItemSelector'>
  statesOfItem(isDistributed: boolean): States
  readonly next: string
}

/** Its states, of which `Width` is the first. */
export function wideMapStates(map: WideMap): [string, State][] {
  return [
    ['Width', widthState(map)],
    [map.name, inlineState(map)],
    ['Distributed', distributedState(map)],
  ]
}

function widthState({ name }: WideMap): ChoiceState {
  const isDistributed = jsonata('$states.input.plan.distributed = true')
  return { Type: 'Choice', Choices: [{ Condition: isDistributed, Next: 'Distributed' }], Default: name }
}

function inlineState({ items, perItem, statesOfItem, next }: WideMap): MapState {
  return {
    Type: 'Map',
    Items: jsonata(`$states.input.plan.${items}`),
    ...perItem,
    ItemProcessor: { ProcessorConfig: { Mode: 'INLINE' }, ...statesOfItem(false) },
    Catch: catchInPipeline(),
    Output: jsonata('$states.input'),
    Next: next,
  }
}

function distributedState({ perItem, statesOfItem, next }: WideMap): MapState {
  return {
    Type: 'Map',
    ItemReader: {
      Resource: 'arn:aws:states:::s3:getObject',
      ReaderConfig: { InputType: 'JSON' },
      Arguments: { Bucket: jsonata('$states.input.plan.items.bucket'), Key: jsonata('$states.input.plan.items.key') },
    },
    ...perItem,
    ItemProcessor: {
      ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
      ...statesOfItem(true),
    },
    Retry: [readerRetrier],
    Catch: catchInPipeline(),
    Output: jsonata('$states.input'),
    Next: next,
  }
}
