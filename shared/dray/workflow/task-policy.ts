import { caughtError, nameOfExecution } from './expressions.ts'
import type { Catcher, LambdaTaskState, PipelineTaskState, Retrier, Template } from './states-language.ts'

/** At most 900, Lambda's own limit. */
export const lambdaTimeoutSeconds = {
  plan: 900,
  extract: 900,
  transform: 900,
  load: 900,
  commit: 900,
  tables: 900,
  gather: 300,
  run: 900,
  reconcile: 900,
  outcome: 60,
  finish: 120,
} as const

/** Of one pipeline in one run; its lease, which lasts shorter, is the run's until the run has ended. */
export const PIPELINE_TIMEOUT_SECONDS = 24 * 3600

/** A state outlasts its Lambda, so that the handler's own deadline, the more telling error, comes first. */
const MARGIN_SECONDS = 30

/** Faults of the service and of the Lambda's process, not of what the handler does. */
const serviceErrors = [
  'Lambda.ClientExecutionTimeoutException',
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
  'Lambda.Unknown',
  'Runtime.ExitError',
]

/**
 * A function that nobody has called for weeks comes up within minutes, and its network before it; an account whose
 * functions are all at work, ten in a new one, has some free again. Waits of 337 s on average, at most 675.
 */
const unready: Retrier = {
  ErrorEquals: [
    'Lambda.EC2ThrottledException',
    'Lambda.ENILimitReachedException',
    'Lambda.ENINotReadyException',
    'Lambda.ResourceNotReadyException',
    'Lambda.SubnetIPAddressLimitReachedException',
    'Lambda.TooManyRequestsException',
  ],
  IntervalSeconds: 5,
  MaxAttempts: 14,
  BackoffRate: 2,
  MaxDelaySeconds: 60,
  JitterStrategy: 'FULL',
}

const retriers: readonly Retrier[] = [
  unready,
  {
    ErrorEquals: ['Transient', ...serviceErrors],
    IntervalSeconds: 1,
    MaxAttempts: 6,
    BackoffRate: 2,
    MaxDelaySeconds: 60,
    JitterStrategy: 'FULL',
  },
  {
    ErrorEquals: ['States.Timeout', 'Sandbox.Timedout'],
    IntervalSeconds: 5,
    MaxAttempts: 2,
    BackoffRate: 2,
    MaxDelaySeconds: 60,
    JitterStrategy: 'FULL',
  },
]

/**
 * The execution of a pipeline could not be started, as far as is known; its name makes a second start the first one.
 * That it failed is no reason to start it again.
 */
const startRetrier: Retrier = {
  ErrorEquals: [
    'StepFunctions.AWSStepFunctionsException',
    'StepFunctions.ExecutionLimitExceededException',
    'StepFunctions.InternalFailureException',
    'StepFunctions.SdkClientException',
    'StepFunctions.ServiceUnavailableException',
    'StepFunctions.SfnException',
    'StepFunctions.ThrottlingException',
  ],
  IntervalSeconds: 1,
  MaxAttempts: 8,
  BackoffRate: 2,
  MaxDelaySeconds: 60,
  JitterStrategy: 'FULL',
}

/** Of a call that may be made as often as one likes. */
export const anyFault: readonly Retrier[] = [
  unready,
  {
    ErrorEquals: ['States.TaskFailed', 'States.Timeout'],
    IntervalSeconds: 2,
    MaxAttempts: 6,
    BackoffRate: 2,
    JitterStrategy: 'FULL',
  },
]

/** The list of partitions could not be read; nothing has been started yet. */
export const readerRetrier: Retrier = {
  ErrorEquals: ['States.ItemReaderFailed'],
  IntervalSeconds: 2,
  MaxAttempts: 3,
  BackoffRate: 2,
  JitterStrategy: 'FULL',
}

/** Where a state goes on: another state of its list, or the end of the list. */
export type Onward = { readonly Next: string } | { readonly End: true }

/** A state that calls one Lambda and tries again after faults that may pass. */
export function taskState(options: {
  readonly stage: keyof typeof lambdaTimeoutSeconds
  /** A placeholder, or an expression of what stands for one. */
  readonly functionName: string
  readonly payload: Template
  readonly output: Template
  readonly catchers?: readonly Catcher[]
  readonly retry?: readonly Retrier[]
  readonly onward: Onward
}): LambdaTaskState {
  return {
    Type: 'Task',
    Resource: 'arn:aws:states:::lambda:invoke',
    Arguments: { FunctionName: options.functionName, Payload: options.payload },
    TimeoutSeconds: lambdaTimeoutSeconds[options.stage] + MARGIN_SECONDS,
    Retry: options.retry ?? retriers,
    ...(options.catchers === undefined ? {} : { Catch: options.catchers }),
    Output: options.output,
    ...options.onward,
  }
}

/** A state that runs a pipeline's machine under the run's name, and waits for its end. */
export function pipelineState(options: {
  readonly machine: string
  readonly input: Template
  readonly output: Template
  readonly catchers: readonly Catcher[]
  readonly onward: Onward
}): PipelineTaskState {
  return {
    Type: 'Task',
    Resource: 'arn:aws:states:::states:startExecution.sync:2',
    Arguments: {
      StateMachineArn: options.machine,
      Name: nameOfExecution,
      Input: options.input,
    },
    TimeoutSeconds: PIPELINE_TIMEOUT_SECONDS + 10 * MARGIN_SECONDS,
    Retry: [startRetrier],
    Catch: options.catchers,
    Output: options.output,
    ...options.onward,
  }
}

/** Sends every error to the state `next`, with the error beside the outcomes of the steps. */
export function catchEverything(next: string): readonly Catcher[] {
  return catchers(next, { run: '{% $states.input.run %}', steps: '{% $states.input.steps %}', error: caughtError })
}

/** The same for an item of a group, which has nothing beside it: the error as it came. */
export function catchInItem(next: string): readonly Catcher[] {
  return catchers(next, {
    run: '{% $states.input.run %}',
    step: '{% $states.input.step %}',
    error: '{% $states.errorOutput %}',
  })
}

/**
 * Sends every error to the state `next`. AWS documents that `States.ALL` leaves out the data limit; recorded executions
 * caught it, so it is named as well.
 */
export function catchers(Next: string, Output: Template): readonly Catcher[] {
  return ['States.DataLimitExceeded', 'States.ALL'].map((name) => ({ ErrorEquals: [name], Output, Next }))
}

/** In a pipeline's machine: a lease that another run holds refuses it, all else fails it. */
export function catchInPipeline(refusal?: string): readonly Catcher[] {
  const output = { run: '{% $states.input.run %}', error: caughtError }
  const caught = [...(refusal === undefined ? [] : [refusal]), 'States.DataLimitExceeded', 'States.ALL']
  return caught.map((name) => ({
    ErrorEquals: [name],
    Output: output,
    Next: name === refusal ? 'Refused' : 'Failed',
  }))
}
