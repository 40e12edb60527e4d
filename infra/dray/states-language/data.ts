import { StatesError } from './states-error.ts'

/** Step Functions' limit for the input, output and payload of a state, in bytes of UTF-8. */
const LONGEST_PAYLOAD = 256 * 1024

/**
 * What the answer of `arn:aws:states:::lambda:invoke` has beside the payload and what the interpreter gives, in bytes:
 * `SdkHttpMetadata` with all headers twice, and `SdkResponseMetadata`.
 */
export const SDK_METADATA_BYTES = 900

/**
 * A value as it passes from state to state: through JSON, so that nothing is shared and nothing else survives. `more`
 * bytes count beside it.
 */
export function throughJson(value: unknown, state: string, what: string, more = 0): unknown {
  const text = textOf(value, state, what)
  checkLength(text, state, what, more)
  return JSON.parse(text)
}

function textOf(value: unknown, state: string, what: string): string {
  try {
    return JSON.stringify(value ?? null)
  } catch (error) {
    throw new StatesError(
      'States.QueryEvaluationError',
      `The state '${state}' has ${what} that JSON cannot hold: ${(error as Error).message}`,
    )
  }
}

function checkLength(text: string, state: string, what: string, more: number): void {
  if (text.length * 3 + more <= LONGEST_PAYLOAD) return
  const bytes = Buffer.byteLength(text) + more
  if (bytes <= LONGEST_PAYLOAD) return
  throw new StatesError(
    'States.DataLimitExceeded',
    `The state '${state}' has ${what} of ${bytes} bytes, more than the ${LONGEST_PAYLOAD} that a state may have.`,
  )
}
