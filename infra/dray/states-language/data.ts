import { StatesError } from './states-error.ts'

/** Step Functions' limit for the input, output and payload of a state, in bytes of UTF-8. */
const LONGEST_PAYLOAD = 256 * 1024

/** A value as it passes from state to state: through JSON, so that nothing is shared and nothing else survives. */
export function throughJson(value: unknown, state: string, what: string): unknown {
  const text = JSON.stringify(value ?? null)
  checkLength(text, state, what)
  return JSON.parse(text)
}

function checkLength(text: string, state: string, what: string): void {
  if (text.length * 3 <= LONGEST_PAYLOAD) return
  const bytes = Buffer.byteLength(text)
  if (bytes <= LONGEST_PAYLOAD) return
  throw new StatesError(
    'States.DataLimitExceeded',
    `The state '${state}' has ${what} of ${bytes} bytes, more than the ${LONGEST_PAYLOAD} that a state may have.`,
  )
}
