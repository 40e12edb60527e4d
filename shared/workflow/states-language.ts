/** The part of the Amazon States Language that the compiler emits and the local interpreter executes. */

/** A value, or a string `{% … %}` that is a JSONata expression, also inside objects and arrays. */
export type Template = null | boolean | number | string | readonly Template[] | { readonly [key: string]: Template }

export interface Retrier {
  readonly ErrorEquals: readonly string[]
  readonly IntervalSeconds?: number
  readonly MaxAttempts?: number
  readonly BackoffRate?: number
  readonly MaxDelaySeconds?: number
  readonly JitterStrategy?: 'FULL' | 'NONE'
}

export interface Catcher {
  readonly ErrorEquals: readonly string[]
  readonly Output?: Template
  readonly Next: string
}

interface Transition {
  readonly Comment?: string
  readonly Next?: string
  readonly End?: true
}

interface Work extends Transition {
  readonly Output?: Template
  readonly Retry?: readonly Retrier[]
  readonly Catch?: readonly Catcher[]
}

export interface PassState extends Transition {
  readonly Type: 'Pass'
  readonly Output?: Template
}

export interface ChoiceState {
  readonly Type: 'Choice'
  readonly Comment?: string
  readonly Choices: readonly { readonly Condition: string; readonly Next: string }[]
  readonly Default?: string
}

export interface TaskState extends Work {
  readonly Type: 'Task'
  readonly Resource: 'arn:aws:states:::lambda:invoke'
  readonly Arguments: { readonly FunctionName: string; readonly Payload: Template }
  readonly TimeoutSeconds: number
}

export interface MapState extends Work {
  readonly Type: 'Map'
  readonly Items: Template
  readonly ItemSelector?: Template
  readonly MaxConcurrency?: number | string
  readonly ItemProcessor: States & { readonly ProcessorConfig: { readonly Mode: 'INLINE' } }
}

export interface ParallelState extends Work {
  readonly Type: 'Parallel'
  readonly Arguments?: Template
  readonly Branches: readonly States[]
}

export interface SucceedState {
  readonly Type: 'Succeed'
  readonly Comment?: string
  readonly Output?: Template
}

export interface FailState {
  readonly Type: 'Fail'
  readonly Comment?: string
  readonly Error?: string
  readonly Cause?: string
}

export type State = PassState | ChoiceState | TaskState | MapState | ParallelState | SucceedState | FailState

export interface States {
  readonly StartAt: string
  readonly States: { readonly [name: string]: State }
}

export interface StateMachine extends States {
  readonly Comment?: string
  readonly QueryLanguage: 'JSONata'
}
