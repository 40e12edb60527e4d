/** Step Functions cuts a cause after as many characters. */
const LONGEST_CAUSE = 32_768

/** An error with the name that Retry and Catch match, and its cause as text, cut where Step Functions cuts it. */
export class StatesError extends Error {
  override readonly name = 'StatesError'
  readonly error: string
  readonly causeText: string

  constructor(error: string, causeText: string) {
    super(`${error}: ${causeText.slice(0, LONGEST_CAUSE)}`)
    this.error = error
    this.causeText = causeText.slice(0, LONGEST_CAUSE)
  }
}

/** The definition uses what the interpreter does not implement, or is not valid; nothing has been started. */
export class UnsupportedDefinition extends Error {
  override readonly name = 'UnsupportedDefinition'
}

/** `States.TaskFailed` does not match these. */
const NOT_OF_TASKS: ReadonlySet<string> = new Set(['States.DataLimitExceeded', 'States.Timeout'])

/**
 * Whether the names of a Retry or Catch match an error, wildcards included. `States.ALL` matches the data limit, though
 * AWS documents that it does not: recorded executions went on from its Catch.
 */
export function matchesError(names: readonly string[], error: string): boolean {
  if (error === 'States.Runtime') return false
  if (names.includes(error) || names.includes('States.ALL')) return true
  return names.includes('States.TaskFailed') && !NOT_OF_TASKS.has(error)
}

/** What a handler threw, as Lambda reports it: the error's name, and a cause in JSON. */
export function fromHandler(thrown: unknown): StatesError {
  if (thrown instanceof StatesError) return thrown
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  return new StatesError(error.name, JSON.stringify({ errorType: error.name, errorMessage: error.message }))
}
