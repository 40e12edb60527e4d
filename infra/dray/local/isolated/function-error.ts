/** An error as a runtime reports it, and as Lambda passes it on. */
export interface RuntimeFailure {
  readonly errorType: string
  readonly errorMessage: string
  readonly trace?: readonly string[]
}

/** An error of the name that the States Language matches. */
export function errorOf({ errorType, errorMessage, trace }: RuntimeFailure): Error {
  const error = new Error(errorMessage)
  error.name = errorType
  if (trace !== undefined && trace.length > 0) error.stack = trace.join('\n')
  return error
}
