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

/** Calls a Lambda. */
export interface LambdaTaskState extends Work {
  readonly Type: 'Task'
  readonly Resource: 'arn:aws:states:::lambda:invoke'
  readonly Arguments: { readonly FunctionName: string; readonly Payload: Template }
  readonly TimeoutSeconds: number
}

/** Runs another machine, and waits for its end. */
export interface PipelineTaskState extends Work {
  readonly Type: 'Task'
  readonly Resource: 'arn:aws:states:::states:startExecution.sync:2'
  readonly Arguments: { readonly StateMachineArn: string; readonly Name: string; readonly Input: Template }
  readonly TimeoutSeconds: number
}

export type TaskState = LambdaTaskState | PipelineTaskState

interface AnyMapState extends Work {
  readonly Type: 'Map'
  readonly ItemSelector?: Template
  readonly MaxConcurrency?: number | string
}

/** Works on items of its input, in the same execution. */
export interface InlineMapState extends AnyMapState {
  readonly Items: Template
  readonly ItemProcessor: States & { readonly ProcessorConfig: { readonly Mode: 'INLINE' } }
}

/** Works on the items of a JSON array in S3, each in a separate execution; the first that fails ends it. */
export interface DistributedMapState extends AnyMapState {
  readonly ItemReader: {
    readonly Resource: 'arn:aws:states:::s3:getObject'
    readonly ReaderConfig: { readonly InputType: 'JSON' }
    readonly Arguments: { readonly Bucket: string; readonly Key: string }
  }
  readonly ItemProcessor: States & {
    readonly ProcessorConfig: { readonly Mode: 'DISTRIBUTED'; readonly ExecutionType: 'STANDARD' }
  }
}

export type MapState = InlineMapState | DistributedMapState

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
  /** Of a whole execution. */
  readonly TimeoutSeconds?: number
}
