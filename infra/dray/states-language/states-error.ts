/** An error with the name that Retry and Catch match, and its cause as text. */
export class StatesError extends Error {
  override readonly name = 'StatesError'
  readonly error: string
  readonly causeText: string

  constructor(error: string, causeText: string) {
    super(`${error}: ${causeText}`)
    this.error = error
    this.causeText = causeText
  }
}

/** The definition uses what the interpreter does not implement, or is not valid; nothing has been started. */
export class UnsupportedDefinition extends Error {
  override readonly name = 'UnsupportedDefinition'
}

/** These end the execution unless a Catch names them: `States.ALL` does not match them. */
const TERMINAL_ERRORS: ReadonlySet<string> = new Set(['States.DataLimitExceeded', 'States.Runtime'])

/** Whether the names of a Retry or Catch match an error, wildcards included. */
export function matchesError(names: readonly string[], error: string): boolean {
  if (error === 'States.Runtime') return false
  if (names.includes(error)) return true
  if (TERMINAL_ERRORS.has(error)) return false
  return names.includes('States.ALL') || (names.includes('States.TaskFailed') && error !== 'States.Timeout')
}

/** What a handler threw, as Lambda reports it: the error's name, and a cause in JSON. */
export function fromHandler(thrown: unknown): StatesError {
  if (thrown instanceof StatesError) return thrown
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  return new StatesError(error.name, JSON.stringify({ errorType: error.name, errorMessage: error.message }))
}
