import { caughtError } from './expressions.ts'
import type { Catcher, Retrier, TaskState, Template } from './states-language.ts'

/** At most 900, Lambda's own limit. */
export const lambdaTimeoutSeconds = {
  plan: 900,
  extract: 900,
  transform: 900,
  load: 900,
  commit: 300,
  run: 900,
  finish: 120,
} as const

/** A state outlasts its Lambda, so that the handler's own deadline, the more telling error, comes first. */
const MARGIN_SECONDS = 30

/** Faults of the service and of the Lambda's process, not of what the handler does. */
const serviceErrors = [
  'Lambda.TooManyRequestsException',
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
  'Lambda.Unknown',
  'Runtime.ExitError',
]

const retriers: readonly Retrier[] = [
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
  readonly placeholder: string
  readonly payload: Template
  readonly output: Template
  readonly catchers?: readonly Catcher[]
  readonly onward: Onward
}): TaskState {
  return {
    Type: 'Task',
    Resource: 'arn:aws:states:::lambda:invoke',
    Arguments: { FunctionName: `\${${options.placeholder}}`, Payload: options.payload },
    TimeoutSeconds: lambdaTimeoutSeconds[options.stage] + MARGIN_SECONDS,
    Retry: retriers,
    ...(options.catchers === undefined ? {} : { Catch: options.catchers }),
    Output: options.output,
    ...options.onward,
  }
}

/**
 * Sends every error to the state `next`, with the error beside the input. AWS documents that `States.ALL` leaves out
 * the data limit; recorded executions caught it, so it is named as well.
 */
export function catchEverything(next: string): readonly Catcher[] {
  return [catchError('States.DataLimitExceeded', next), catchError('States.ALL', next)]
}

export function catchError(name: string, next: string): Catcher {
  return {
    ErrorEquals: [name],
    Output: {
      run: '{% $states.input.run %}',
      steps: '{% $states.input.steps %}',
      error: caughtError,
    },
    Next: next,
  }
}
