import * as z from 'zod'
import { jsonata } from './expressions.ts'
import { faultsInInput } from './input-faults.ts'
import type { State, Template } from './states-language.ts'

/**
 * The first states of a machine: an input that is not one is refused before anything runs, also when the execution was
 * not started by Dray.
 */
export function checkedStart(machine: {
  /** Of the workflow or pipeline. */
  readonly name: string
  /** An object of the run that the execution is, or is a part of. */
  readonly run: Template
  /** What else the states find in their input. */
  readonly data?: Readonly<Record<string, Template>>
  /** Of its input. */
  readonly schema: z.ZodType
  /** What else may be wrong with an input that the schema allows: an expression of a sentence, or of an empty text. */
  readonly misfit?: string
  readonly next: string
}): [string, State][] {
  const { name, run, data = {}, schema, misfit = '""', next } = machine
  const faults = jsonata(`($faults := ${faultsIn(schema)}; $faults = "" ? ${misfit} : $faults)`)
  return [
    ['Start', { Type: 'Pass', Output: { run, ...data, faults }, Next: 'Valid input?' }],
    [
      'Valid input?',
      {
        Type: 'Choice',
        Choices: [{ Condition: jsonata('$states.input.faults = ""'), Next: next }],
        Default: 'Invalid input',
      },
    ],
    ['Invalid input', { Type: 'Fail', Error: 'InvalidInput', Cause: invalidInput(name) }],
  ]
}

const known = new WeakMap<z.ZodType, string>()

/** The pipelines of a workflow share a schema. */
function faultsIn(schema: z.ZodType): string {
  const faults = known.get(schema) ?? faultsInInput(z.toJSONSchema(schema, { io: 'input' }))
  known.set(schema, faults)
  return faults
}

function invalidInput(name: string): string {
  const nothingRan = `The input is not one that ${name} takes, so nothing was run: `
  return jsonata(`${JSON.stringify(nothingRan)} & $states.input.faults & "; docs/events.md says what it may be."`)
}
