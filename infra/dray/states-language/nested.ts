import type { StateMachine } from 'dray/internal/workflow/states-language.ts'
import { StatesError } from './states-error.ts'

/** A machine that others may start. */
export interface NestedMachine {
  readonly name: string
  readonly definition: StateMachine
}

/** What `startExecution.sync:2` is asked for. */
export interface StartOfNested {
  readonly machine: string
  readonly name: string
  readonly input: unknown
}

interface Started {
  readonly input: string
  readonly ended: Promise<unknown>
  isOver: boolean
}

/** The executions that one execution has started. */
export class NestedExecutions {
  readonly #machines: ReadonlyMap<string, NestedMachine>
  readonly #started = new Map<string, Started>()

  constructor(machines: ReadonlyMap<string, NestedMachine> = new Map()) {
    this.#machines = machines
  }

  /**
   * The end of the execution of this name: of one that runs with the same input already, or of one that `run` starts.
   * Throws `StatesError` for a name that is taken, and a machine that there is not.
   */
  start({ machine, name, input }: StartOfNested, run: (machine: NestedMachine) => Promise<unknown>): Promise<unknown> {
    const known = this.#machines.get(machine)
    if (known === undefined) {
      throw new StatesError('StepFunctions.StateMachineDoesNotExistException', `There is no state machine ${machine}.`)
    }
    const key = `${machine}:${name}`
    const text = JSON.stringify(input)
    const earlier = this.#started.get(key)
    if (earlier !== undefined) {
      if (!earlier.isOver && earlier.input === text) return earlier.ended
      throw new StatesError(
        'StepFunctions.ExecutionAlreadyExistsException',
        `Execution Already Exists: '${key}' (Service: Sfn, Status Code: 400)`,
      )
    }
    const started: Started = { input: text, ended: run(known), isOver: false }
    const over = () => {
      started.isOver = true
    }
    started.ended.then(over, over)
    this.#started.set(key, started)
    return started.ended
  }
}
