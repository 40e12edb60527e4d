import type { State, StateMachine } from 'dray/internal/workflow/states-language.ts'
import {
  type ExecuteOptions,
  type ExecutionResult,
  execute,
  type HistoryEvent,
} from 'dray-infra/internal/states-language/index.ts'
import { VirtualClock } from './virtual-clock.ts'

/** A function of a test; `seconds` waits on the virtual clock and is cut short by the signal. */
export type TestFunction = (
  payload: unknown,
  parts: {
    readonly signal: AbortSignal
    readonly wait: (seconds: number, deaf?: 'deaf') => Promise<void>
    readonly call: number
  },
) => unknown

export interface TestRun extends ExecutionResult {
  readonly events: readonly HistoryEvent[]
  readonly clock: VirtualClock
}

export function machineOf(states: Record<string, State>): StateMachine {
  return { QueryLanguage: 'JSONata', StartAt: Object.keys(states)[0] ?? '', States: states }
}

/** A task that calls the function `name` with its input, and passes on what it returns. */
export function taskOf(name: string, rest: object = { End: true }): State {
  return {
    Type: 'Task',
    Resource: 'arn:aws:states:::lambda:invoke',
    Arguments: { FunctionName: `\${${name}}`, Payload: '{% $states.input %}' },
    TimeoutSeconds: 60,
    Output: '{% $states.result.Payload %}',
    ...rest,
  } as State
}

/** A task that runs the machine `name` under the execution's name `as`, with its input, and gives what it gave. */
export function executionOf(name: string, as: string, rest: object = { End: true }): State {
  return {
    Type: 'Task',
    Resource: 'arn:aws:states:::states:startExecution.sync:2',
    Arguments: { StateMachineArn: `\${${name}}`, Name: as, Input: '{% $states.input %}' },
    TimeoutSeconds: 600,
    Output: '{% $states.result.Output %}',
    ...rest,
  } as State
}

/** A Map over the input that calls `name` for each item. */
export function mapOf(name: string, rest: object = {}): State {
  return {
    Type: 'Map',
    Items: '{% $states.input %}',
    ItemProcessor: { ProcessorConfig: { Mode: 'INLINE' }, StartAt: 'item', States: { item: taskOf(name) } },
    End: true,
    ...rest,
  } as State
}

export async function runMachine(
  states: Record<string, State>,
  input: unknown,
  functions: Record<string, TestFunction> = {},
  options: Partial<ExecuteOptions> & { readonly clock?: VirtualClock } = {},
): Promise<TestRun> {
  const clock = options.clock ?? new VirtualClock()
  const events: HistoryEvent[] = []
  let calls = 0
  const result = await execute(machineOf(states), input, {
    executionName: 'run-1',
    executor: {
      async invoke(functionName, payload, { signal }) {
        const wait = (seconds: number, deaf?: 'deaf') =>
          clock.sleep(seconds * 1000, deaf === undefined ? signal : undefined)
        return await functions[functionName]?.(payload, { signal, wait, call: ++calls })
      },
    },
    random: () => 0.5,
    onEvent: (event) => events.push(event),
    ...options,
    clock,
  })
  return { ...result, events, clock }
}

export function errorNamed(name: string, message = `an error named ${name}`): Error {
  return Object.assign(new Error(message), { name })
}
