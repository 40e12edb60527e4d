import { ConfigurationError } from '#dray/errors.ts'
import type { StateMachine } from './states-language.ts'

/** Step Functions' limit for a definition, in bytes. */
const LONGEST_DEFINITION = 1024 * 1024

/** As much of it as is used without need: a definition grows with a name that is added. */
const ROOM = 0.8

/** Of an ARN in place of a placeholder. */
const LONGEST_ARN = 170

/** In bytes, as Step Functions is given it. */
function lengthOf(definition: StateMachine): number {
  const text = JSON.stringify(definition)
  return Buffer.byteLength(text) + LONGEST_ARN * (text.match(/\$\{\w+\}/g) ?? []).length
}

/** Whether a definition leaves room in what Step Functions takes. */
export function hasRoom(definition: StateMachine): boolean {
  return lengthOf(definition) <= ROOM * LONGEST_DEFINITION
}

/** Throws `Configuration` for a definition that Step Functions refuses. */
export function checkLength(workflowName: string, definition: StateMachine): void {
  const bytes = lengthOf(definition)
  if (bytes > LONGEST_DEFINITION) {
    throw new ConfigurationError(
      `Workflow ${workflowName}: its state machine has ${bytes} bytes and Step Functions refuses more than ${LONGEST_DEFINITION}; declare fewer dependencies, or divide the workflow in two.`,
    )
  }
}
