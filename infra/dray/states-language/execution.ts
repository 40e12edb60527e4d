import type {
  ChoiceState,
  DistributedMapState,
  FailState,
  LambdaTaskState,
  MapState,
  ParallelState,
  PipelineTaskState,
  State,
  StateMachine,
  States,
  TaskState,
  Template,
} from 'dray/internal/workflow/states-language.ts'
import { Cancellation, Cancelled } from './cancellation.ts'
import type { Clock } from './clock.ts'
import { SDK_METADATA_BYTES, throughJson } from './data.ts'
import { evaluate, type StatesVariable } from './expression.ts'
import type { HistoryEvent, HistoryListener } from './history.ts'
import { EVALUATION_FAILED, HistoryQuota } from './history-quota.ts'
import { NestedExecutions, type NestedMachine } from './nested.ts'
import { Retries } from './retry.ts'
import { runAll } from './run-all.ts'
import { matchesError, StatesError } from './states-error.ts'
import { invokeTask, type TaskExecutor } from './task.ts'
import { within } from './within.ts'

export interface ExecutionOptions {
  readonly executor: TaskExecutor
  readonly clock: Clock
  readonly onEvent?: HistoryListener | undefined
  readonly executionName: string
  readonly stateMachineName?: string | undefined
  /** Reads the items of a Distributed Map from S3, or from what stands for it. */
  readonly readItems?: ((place: { readonly bucket: string; readonly key: string }) => Promise<unknown>) | undefined
  /** What `startExecution` may start, by the name that stands for its ARN. */
  readonly machines?: ReadonlyMap<string, NestedMachine> | undefined
  /** For jitter; in [0, 1). */
  readonly random?: (() => number) | undefined
}

/** A Map of Step Functions never runs more at once. */
const mostAtOnce = { inline: 40, distributed: 10_000 } as const

/** `TaskSubmitted`, of an execution that was started. */
const SUBMITTED = 1

/**
 * What the states of one list share: how they are cancelled, the context of their execution, and the Map item they work
 * on.
 */
interface Scope {
  readonly cancellation: Cancellation
  readonly history: HistoryQuota
  readonly context: Readonly<Record<string, unknown>>
  /** As `$states.context.Map.Item` has it: in the executions of a Distributed Map there is none. */
  readonly item: { readonly Index: number; readonly Value: unknown } | null
  /** The item's index, for the history. */
  readonly index: number | null
}

/** One visit of a state. */
interface Visit {
  readonly name: string
  readonly input: unknown
  readonly scope: Scope
  readonly enteredTime: string
  readonly retryCount: number
}

interface Step {
  readonly output: unknown
  /** The next state, or null at the end of the list. */
  readonly next: string | null
}

type Untimed<E> = E extends unknown ? Omit<E, 'at' | 'machine'> : never

/** A placeholder that was not substituted stands for itself. */
function withoutBraces(functionName: string): string {
  return /^\$\{(\w+)\}$/.exec(functionName)?.[1] ?? functionName
}

/** One execution of a checked definition. */
export class Execution {
  readonly cancellation: Cancellation
  readonly #options: ExecutionOptions
  readonly #nested: NestedExecutions
  readonly #random: () => number
  readonly #running = new Set<Promise<unknown>>()
  readonly #history = newHistory()

  constructor(options: ExecutionOptions, parent?: Cancellation) {
    this.#options = options
    this.cancellation = new Cancellation(parent)
    this.#nested = new NestedExecutions(options.machines)
    this.#random = options.random ?? Math.random
  }

  /** Functions that have not returned yet, though nobody waits for their result any more. */
  get running(): readonly Promise<unknown>[] {
    return [...this.#running]
  }

  /** As many as Step Functions would have written by now. */
  get historyEvents(): number {
    return this.#history.events
  }

  emit(event: Untimed<HistoryEvent>): void {
    const { onEvent, clock, stateMachineName = 'local' } = this.#options
    onEvent?.({ at: clock.now(), machine: stateMachineName, ...event } as HistoryEvent)
  }

  /** Emits an event that Step Functions writes to the history of the scope's execution. */
  #record(scope: Scope, event: Untimed<HistoryEvent>): void {
    scope.history.count(event.type)
    this.emit(event)
  }

  /**
   * From the first event to the last; the output of the last state. Throws `StatesError` when the execution fails or
   * takes longer than its definition lets it, `Cancelled` when it was cancelled.
   */
  async toItsEnd(definition: StateMachine, input: unknown): Promise<unknown> {
    this.emit({ type: 'execution-started', name: this.#options.executionName, input })
    try {
      const work = (cancellation: Cancellation) => this.#run(definition, input, cancellation)
      const output = await within(definition.TimeoutSeconds ?? null, this.cancellation, this.#options.clock, work)
      this.emit({ type: 'execution-succeeded', output })
      return output
    } catch (thrown) {
      if (thrown instanceof StatesError) {
        this.emit({ type: 'execution-failed', error: thrown.error, cause: thrown.causeText })
      }
      throw thrown
    } finally {
      this.cancellation.cancel()
      this.cancellation.dispose()
    }
  }

  async #run(definition: StateMachine, given: unknown, cancellation: Cancellation): Promise<unknown> {
    const { executionName, stateMachineName = 'local' } = this.#options
    const input = throughJson(given, definition.StartAt, 'an input')
    const context = this.#contextOf(stateMachineName, executionName, input)
    const history = this.#history
    return await this.#runStates(definition, input, { cancellation, history, context, item: null, index: null })
  }

  #contextOf(stateMachine: string, name: string, input: unknown): Scope['context'] {
    return {
      Execution: {
        Id: `local:${stateMachine}:${name}`,
        Input: input,
        Name: name,
        StartTime: this.#timestamp(),
        RedriveCount: 0,
      },
      StateMachine: { Id: `local:${stateMachine}`, Name: stateMachine },
    }
  }

  #timestamp(): string {
    return new Date(this.#options.clock.now()).toISOString()
  }

  async #runStates(states: States, input: unknown, scope: Scope): Promise<unknown> {
    let step: Step = { output: input, next: states.StartAt }
    while (step.next !== null) {
      scope.cancellation.throwIfCancelled()
      const state = states.States[step.next] as State
      const name = step.next
      const at = { state: name, item: scope.index }
      this.#record(scope, { type: 'state-entered', ...at, stateType: state.Type, input: step.output })
      const visit = { name, input: step.output, scope, enteredTime: this.#timestamp(), retryCount: 0 }
      try {
        step = await this.#runState(state, visit)
      } catch (thrown) {
        if (isAborted(state, thrown)) scope.history.add(1)
        throw thrown
      }
      this.#record(scope, { type: 'state-exited', ...at, output: step.output })
    }
    return step.output
  }

  async #runState(state: State, visit: Visit): Promise<Step> {
    switch (state.Type) {
      case 'Pass':
        return { output: await this.#outputOf(state.Output, visit), next: state.Next ?? null }
      case 'Succeed':
        return { output: await this.#outputOf(state.Output, visit), next: null }
      case 'Choice':
        return { output: visit.input, next: await this.#choose(state, visit) }
      case 'Fail':
        throw await this.#failure(state, visit)
      default:
        return await this.#work(state, visit)
    }
  }

  async #outputOf(template: Template | undefined, visit: Visit): Promise<unknown> {
    if (template === undefined) return visit.input
    return throughJson(await this.#evaluate(template, this.#variable(visit), visit), visit.name, 'an output')
  }

  #evaluate(template: Template, variable: StatesVariable, visit: Visit): Promise<unknown> {
    return evaluate(template, variable, visit.name, visit.scope.history)
  }

  /** For what an expression gave when it is not what the field takes. */
  #misfit(visit: Visit, problem: string): StatesError {
    visit.scope.history.add(EVALUATION_FAILED)
    return new StatesError('States.QueryEvaluationError', `The state '${visit.name}': ${problem}`)
  }

  #variable(visit: Visit): StatesVariable {
    const { name, enteredTime, retryCount, scope } = visit
    const context: Record<string, unknown> = {
      ...scope.context,
      State: { EnteredTime: enteredTime, Name: name, RetryCount: retryCount },
    }
    if (scope.item !== null) context.Map = { Item: scope.item }
    return { input: visit.input, context }
  }

  async #choose(state: ChoiceState, visit: Visit): Promise<string> {
    for (const choice of state.Choices) {
      const holds = await this.#evaluate(choice.Condition, this.#variable(visit), visit)
      if (typeof holds !== 'boolean') throw this.#misfit(visit, 'a condition is not a boolean.')
      if (holds) return choice.Next
    }
    if (state.Default !== undefined) return state.Default
    throw new StatesError('States.NoChoiceMatched', `The state '${visit.name}' has no choice for its input.`)
  }

  async #failure(state: FailState, visit: Visit): Promise<StatesError> {
    const text = async (field: 'Error' | 'Cause') => {
      const value = await this.#evaluate(state[field] ?? '', this.#variable(visit), visit)
      if (typeof value === 'string') return value
      throw this.#misfit(visit, `${field} is not a string.`)
    }
    return new StatesError(await text('Error'), await text('Cause'))
  }

  /** A Task, Map or Parallel with its retries; an error that is caught becomes a step to another state. */
  async #work(state: TaskState | MapState | ParallelState, visit: Visit): Promise<Step> {
    const retries = new Retries(state.Retry ?? [], this.#random)
    for (let retryCount = 0; ; retryCount++) {
      const attempt = { ...visit, retryCount }
      try {
        return { output: await this.#attempt(state, attempt), next: state.Next ?? null }
      } catch (thrown) {
        if (!(thrown instanceof StatesError)) throw thrown
        visit.scope.cancellation.throwIfCancelled()
        const delayMs = retries.delayAfter(thrown.error)
        if (delayMs === null) return await this.#catchError(state, attempt, thrown)
        const at = { state: visit.name, item: visit.scope.index }
        this.#record(visit.scope, {
          type: 'task-retried',
          ...at,
          error: thrown.error,
          delayMs,
          attempt: retryCount + 2,
        })
        await this.#sleep(delayMs, visit.scope.cancellation)
      }
    }
  }

  async #attempt(state: TaskState | MapState | ParallelState, visit: Visit): Promise<unknown> {
    const variable = this.#variable(visit)
    const result = await this.#resultOf(state, visit, variable)
    if (state.Output === undefined) return result
    return throughJson(await this.#evaluate(state.Output, { ...variable, result }, visit), visit.name, 'an output')
  }

  async #resultOf(state: TaskState | MapState | ParallelState, visit: Visit, variable: StatesVariable) {
    if (state.Type === 'Task') {
      return state.Resource === 'arn:aws:states:::lambda:invoke'
        ? await this.#invocation(state, visit, variable)
        : await this.#nestedExecution(state, visit, variable)
    }
    const results = await (state.Type === 'Map'
      ? this.#map(state, visit, variable)
      : this.#parallel(state, visit, variable))
    return throughJson(results, visit.name, 'a result')
  }

  async #catchError(state: TaskState | MapState | ParallelState, visit: Visit, thrown: StatesError): Promise<Step> {
    const catcher = state.Catch?.find(({ ErrorEquals }) => matchesError(ErrorEquals, thrown.error))
    if (catcher === undefined) throw thrown
    const errorOutput = { Error: thrown.error, Cause: thrown.causeText }
    const output =
      catcher.Output === undefined
        ? errorOutput
        : await this.#evaluate(catcher.Output, { ...this.#variable(visit), errorOutput }, visit)
    return { output: throughJson(output, visit.name, 'an output'), next: catcher.Next }
  }

  async #sleep(ms: number, cancellation: Cancellation): Promise<void> {
    const controller = new AbortController()
    const stop = cancellation.onCancel(() => controller.abort(new Cancelled('The wait for a retry was cancelled.')))
    try {
      await this.#options.clock.sleep(ms, controller.signal)
    } finally {
      stop()
    }
  }

  async #invocation(state: LambdaTaskState, visit: Visit, variable: StatesVariable): Promise<unknown> {
    const { FunctionName, Payload } = state.Arguments
    const functionName = withoutBraces(String(await this.#evaluate(FunctionName, variable, visit)))
    const payload = throughJson(await this.#evaluate(Payload, variable, visit), visit.name, 'a payload')
    const at = { state: visit.name, item: visit.scope.index }
    this.#record(visit.scope, { type: 'task-scheduled', ...at, functionName, payload, attempt: visit.retryCount + 1 })
    return await this.#toldOf(visit, async () => {
      const result = await invokeTask(
        { functionName, payload: payload ?? {}, timeoutSeconds: state.TimeoutSeconds },
        { ...this.#options, cancellation: visit.scope.cancellation, track: (running) => this.#track(running) },
      )
      return { ExecutedVersion: '$LATEST', Payload: result ?? null, StatusCode: 200 }
    })
  }

  /** The result of a Task's work, whose end is recorded, however it came. */
  async #toldOf(visit: Visit, work: () => Promise<unknown>): Promise<unknown> {
    const at = { state: visit.name, item: visit.scope.index }
    try {
      const output = throughJson(await work(), visit.name, 'a result', SDK_METADATA_BYTES)
      this.#record(visit.scope, { type: 'task-succeeded', ...at, output })
      return output
    } catch (thrown) {
      if (thrown instanceof StatesError) {
        const type = thrown.error === 'States.Timeout' ? 'task-timed-out' : 'task-failed'
        this.#record(visit.scope, { type, ...at, error: thrown.error, cause: thrown.causeText })
      }
      throw thrown
    }
  }

  /** Another machine's execution, under its own name, with its own history; waits for its end. */
  async #nestedExecution(state: PipelineTaskState, visit: Visit, variable: StatesVariable): Promise<unknown> {
    const evaluated = throughJson(await this.#evaluate(state.Arguments, variable, visit), visit.name, 'arguments')
    const { StateMachineArn, Name, Input } = evaluated as { StateMachineArn: string; Name: string; Input: unknown }
    const machine = withoutBraces(StateMachineArn)
    const at = { state: visit.name, item: visit.scope.index }
    const attempt = visit.retryCount + 1
    this.#record(visit.scope, { type: 'task-scheduled', ...at, functionName: machine, payload: Input, attempt })
    const work = (cancellation: Cancellation) => {
      const run = (found: NestedMachine) => this.#runNested(found, Name, Input, cancellation)
      const ended = this.#nested.start({ machine, name: Name, input: Input }, run)
      visit.scope.history.add(SUBMITTED)
      return ended
    }
    const { clock } = this.#options
    return await this.#toldOf(visit, () => within(state.TimeoutSeconds, visit.scope.cancellation, clock, work))
  }

  /** What `DescribeExecution` says of it at its end. */
  async #runNested(machine: NestedMachine, id: string, input: unknown, parent: Cancellation): Promise<unknown> {
    const { name, definition } = machine
    const { clock } = this.#options
    const execution = new Execution({ ...this.#options, executionName: id, stateMachineName: name }, parent)
    const known = {
      ExecutionArn: `local:${name}:${id}`,
      Input: JSON.stringify(input),
      InputDetails: { Included: true },
      Name: id,
      StartDate: clock.now(),
      StateMachineArn: `local:${name}`,
    }
    try {
      const output = await execution.toItsEnd(definition, input)
      return { ...known, Output: output, OutputDetails: { Included: true }, Status: 'SUCCEEDED', StopDate: clock.now() }
    } catch (thrown) {
      if (thrown instanceof Cancelled) execution.emit({ type: 'execution-aborted', error: '', cause: '' })
      if (!(thrown instanceof StatesError)) throw thrown
      const { error, causeText } = thrown
      const Status = error === 'States.Timeout' ? 'TIMED_OUT' : 'FAILED'
      // In the order of AWS, whose catchers cut a long one.
      const ended = { Cause: causeText, Error: error, ...known, Status, StopDate: clock.now() }
      throw new StatesError('States.TaskFailed', JSON.stringify(ended))
    } finally {
      for (const running of execution.running) this.#track(running)
    }
  }

  #track(running: Promise<unknown>): void {
    this.#running.add(running)
    const forget = () => this.#running.delete(running)
    running.then(forget, forget)
  }

  async #parallel(state: ParallelState, visit: Visit, variable: StatesVariable): Promise<unknown> {
    const input =
      state.Arguments === undefined
        ? visit.input
        : throughJson(await this.#evaluate(state.Arguments, variable, visit), visit.name, 'arguments')
    const { Branches: branches } = state
    return await written(visit.scope.history, 1, () =>
      runAll(branches.length, branches.length, visit.scope.cancellation, (index, cancellation) =>
        this.#runStates(branches[index] as States, input, { ...visit.scope, cancellation }),
      ),
    )
  }

  async #map(state: MapState, visit: Visit, variable: StatesVariable): Promise<unknown> {
    const distributed = 'ItemReader' in state
    const items = distributed
      ? await this.#itemsRead(state, visit, variable)
      : await this.#evaluate(state.Items, variable, visit)
    if (!Array.isArray(items)) throw this.#misfit(visit, 'Items is not an array.')
    const limit = await this.#concurrency(state, visit, variable)
    const iterate = (index: number, cancellation: Cancellation) =>
      this.#iterate(state, visit, { ...visit.scope, cancellation, item: { Index: index, Value: items[index] }, index })
    return await written(visit.scope.history, distributed ? 2 : 1, async () => {
      const results = runAll(items.length, limit, visit.scope.cancellation, iterate)
      return await (distributed ? results.catch(withinTolerance) : results)
    })
  }

  async #itemsRead(state: DistributedMapState, visit: Visit, variable: StatesVariable): Promise<unknown[]> {
    const place = await this.#evaluate(state.ItemReader.Arguments, variable, visit)
    const { Bucket, Key } = place as { Bucket: unknown; Key: unknown }
    const { readItems } = this.#options
    try {
      if (readItems === undefined) throw new Error('nothing here reads the items of a Distributed Map')
      const items = await readItems({ bucket: String(Bucket), key: String(Key) })
      if (Array.isArray(items)) return items
      throw new Error('it holds no array')
    } catch (error) {
      throw new StatesError('States.ItemReaderFailed', `${Key} in the bucket '${Bucket}': ${(error as Error).message}`)
    }
  }

  async #concurrency(state: MapState, visit: Visit, variable: StatesVariable): Promise<number> {
    const limit = await this.#evaluate(state.MaxConcurrency ?? 0, variable, visit)
    if (!Number.isInteger(limit) || (limit as number) < 0) {
      throw this.#misfit(visit, `MaxConcurrency is ${JSON.stringify(limit)}, not an integer from 0 up.`)
    }
    const most = 'ItemReader' in state ? mostAtOnce.distributed : mostAtOnce.inline
    return limit === 0 ? most : Math.min(limit as number, most)
  }

  async #iterate(state: MapState, visit: Visit, scope: Scope): Promise<unknown> {
    const index = scope.index as number
    const isDistributed = 'ItemReader' in state
    /** The executions of a Distributed Map are not in its history. */
    const record = (event: Untimed<HistoryEvent>) => (isDistributed ? this.emit(event) : this.#record(scope, event))
    const at = { state: visit.name, item: visit.scope.index, index }
    record({ type: 'map-iteration-started', ...at })
    try {
      const variable = this.#variable({ ...visit, scope })
      const selected =
        state.ItemSelector === undefined ? scope.item?.Value : await this.#evaluate(state.ItemSelector, variable, visit)
      const item = throughJson(selected, visit.name, 'an item')
      const inside = isDistributed ? this.#execution(visit, scope, item) : scope
      const output = await this.#runStates(state.ItemProcessor, item, inside)
      record({ type: 'map-iteration-succeeded', ...at })
      return output
    } catch (thrown) {
      if (thrown instanceof StatesError) {
        record({ type: 'map-iteration-failed', ...at, error: thrown.error, cause: thrown.causeText })
      } else if (thrown instanceof Cancelled) {
        record({ type: 'map-iteration-aborted', ...at })
      }
      throw thrown
    }
  }

  /** An item of a Distributed Map runs in a separate execution, which knows nothing of the Map. */
  #execution(visit: Visit, scope: Scope, item: unknown): Scope {
    const { executionName, stateMachineName = 'local' } = this.#options
    const context = this.#contextOf(`${stateMachineName}/${visit.name}`, `${executionName}-${scope.index}`, item)
    return { ...scope, context, item: null, history: newHistory() }
  }
}

function newHistory(): HistoryQuota {
  const history = new HistoryQuota()
  history.count('execution-started')
  return history
}

/** `TaskStateAborted` and its like: a Task that ends its list, or whatever works when something beside it failed. */
function isAborted(state: State, thrown: unknown): boolean {
  if (state.Type === 'Task') return true
  return thrown instanceof Cancelled && (state.Type === 'Map' || state.Type === 'Parallel')
}

/** Work that Step Functions writes as started, and then as succeeded or failed, in as many events each. */
async function written<T>(history: HistoryQuota, events: number, work: () => Promise<T>): Promise<T> {
  history.add(events)
  try {
    const result = await work()
    history.add(events)
    return result
  } catch (thrown) {
    if (thrown instanceof StatesError) history.add(events)
    throw thrown
  }
}

/** No failure is tolerated, and what failed is known to its own execution alone. */
function withinTolerance(thrown: unknown): never {
  if (!(thrown instanceof StatesError)) throw thrown
  throw new StatesError(
    'States.ExceedToleratedFailureThreshold',
    'The specified tolerated failure threshold was exceeded',
  )
}
