import * as z from 'zod'
import { ConfigurationError } from '#dray/errors.ts'
import { formats } from '#dray/messages/formats.ts'
import { runInputOf } from '#dray/messages/run-input.ts'
import { decompose, type Structure } from './decompose.ts'
import { allFailed, failureCause, jsonata, onlyOfRun, statusesOf } from './expressions.ts'
import { ancestorsOf, orderOf } from './graph.ts'
import { faultsInInput } from './input-faults.ts'
import { type FunctionReference, functionsOf, placeholderOf } from './placeholders.ts'
import type { State, StateMachine, States } from './states-language.ts'
import { stepStates } from './step-states.ts'
import { catchEverything, type Onward, taskState } from './task-policy.ts'
import type { Workflow, WorkflowStep } from './workflow.ts'

export interface CompiledWorkflow {
  /** The same for Step Functions and the local interpreter; functions are `${placeholders}`. */
  readonly definition: StateMachine
  readonly functions: readonly FunctionReference[]
  /** Sentences on where steps wait for steps that they do not depend on. */
  readonly notes: readonly string[]
}

/** Step Functions' limit for a definition, in bytes. */
const LONGEST_DEFINITION = 1024 * 1024

type Steps = ReadonlyMap<string, WorkflowStep>

/**
 * Compiles a workflow to a state machine that runs every step at most once, after its dependencies, and ends failed
 * when its Finish says so. Throws `Configuration` when the machine cannot be said within the limits of Step Functions.
 */
export function toStatesLanguage(workflow: Workflow): CompiledWorkflow {
  const functions = functionsOf(workflow)
  const steps: Steps = new Map(workflow.steps.map((step) => [step.name, step]))
  const order = orderOf(workflow.name, workflow.steps)
  const { structure, notes } = decompose(order, ancestorsOf(workflow.steps, order))
  const definition: StateMachine = {
    Comment: `${workflow.name}, compiled from its workflow()`,
    QueryLanguage: 'JSONata',
    StartAt: 'Start',
    States: Object.fromEntries([
      ...startStates(workflow.name, order, entryOf(structure)),
      ...statesOf(structure, steps, { Next: 'Finish' }),
      ...endStates(order),
    ]),
  }
  checkLength(workflow.name, definition)
  return { definition, functions, notes }
}

/** An input that is not one is refused before any step runs, also when the execution was not started by Dray. */
function startStates(workflowName: string, order: readonly string[], next: string): [string, State][] {
  const schema = z.toJSONSchema(runInputOf(order), { io: 'input' })
  return [
    [
      'Start',
      {
        Type: 'Pass',
        Output: {
          run: {
            id: jsonata('$states.context.Execution.Name'),
            workflow: workflowName,
            started_at: jsonata('$states.context.Execution.StartTime'),
            trigger: jsonata('$type($states.input.trigger) = "string" ? $states.input.trigger : "manual"'),
          },
          steps: {},
          faults: jsonata(faultsInInput(schema)),
        },
        Next: 'Valid input?',
      },
    ],
    [
      'Valid input?',
      {
        Type: 'Choice',
        Choices: [{ Condition: jsonata('$states.input.faults = ""'), Next: next }],
        Default: 'Invalid input',
      },
    ],
    ['Invalid input', { Type: 'Fail', Error: 'InvalidInput', Cause: invalidInput(workflowName) }],
  ]
}

function invalidInput(workflowName: string): string {
  const nothingRan = `The input is not one that ${workflowName} takes, so no step was run: `
  return jsonata(`${JSON.stringify(nothingRan)} & $states.input.faults & "; docs/events.md says what it may be."`)
}

function endStates(order: readonly string[]): [string, State][] {
  const input = { run: jsonata('$states.input.run'), steps: jsonata('$states.input.steps') }
  return [
    [
      'Finish',
      taskState({
        stage: 'finish',
        placeholder: placeholderOf('dray', 'finish'),
        payload: { version: formats.message, ...input, only: onlyOfRun },
        output: { ...input, finish: jsonata('$states.result.Payload') },
        onward: { Next: 'Succeeded?' },
      }),
    ],
    [
      'Succeeded?',
      {
        Type: 'Choice',
        Choices: [{ Condition: jsonata('$states.input.finish.status = "success"'), Next: 'Succeeded' }],
        Default: 'Failed',
      },
    ],
    ['Succeeded', { Type: 'Succeed' }],
    ['Failed', { Type: 'Fail', Error: 'WorkflowFailed', Cause: failureCause(order) }],
  ]
}

function entryOf(structure: Structure): string {
  if (structure.kind === 'parallel') return parallelName(structure)
  return structure.kind === 'step' ? structure.name : entryOf(structure.parts[0] as Structure)
}

function statesOf(structure: Structure, steps: Steps, onward: Onward): [string, State][] {
  if (structure.kind === 'step') return stepStates(stepNamed(structure.name, steps), onward)
  if (structure.kind === 'parallel') return parallelStates(structure, steps, onward)
  return structure.parts.flatMap((part, index) => {
    const next = structure.parts[index + 1]
    return statesOf(part, steps, next === undefined ? onward : { Next: entryOf(next) })
  })
}

/**
 * An error that ends a branch, though its steps catch theirs, is caught here: the other steps of the workflow go on,
 * and Finish learns of those in the branches.
 */
function parallelStates(structure: Structure & { kind: 'parallel' }, steps: Steps, onward: Onward): [string, State][] {
  const lost = parallelName(structure, 'Lost')
  return [
    [parallelName(structure), parallelState(structure.branches, steps, lost, onward)],
    [
      lost,
      {
        Type: 'Pass',
        Output: { run: jsonata('$states.input.run'), steps: allFailed(namesIn(structure)) },
        ...onward,
      },
    ],
  ]
}

/**
 * Branches are given only the statuses that their gates look at: each branch's output repeats them, and together they
 * share one payload. The full outcomes in the input win over them in the merge.
 */
function parallelState(branches: readonly Structure[], steps: Steps, lost: string, onward: Onward): State {
  const inside = new Set(branches.flatMap(namesIn))
  const before = new Set(
    [...inside].flatMap((name) => stepNamed(name, steps).after).filter((name) => !inside.has(name)),
  )
  return {
    Type: 'Parallel',
    Arguments: { run: jsonata('$states.input.run'), steps: before.size === 0 ? {} : statusesOf([...before]) },
    Branches: branches.map(
      (branch): States => ({
        StartAt: entryOf(branch),
        States: Object.fromEntries(statesOf(branch, steps, { End: true })),
      }),
    ),
    Catch: catchEverything(lost),
    Output: {
      run: jsonata('$states.input.run'),
      steps: jsonata('$merge($append($states.result.steps, $states.input.steps))'),
    },
    ...onward,
  }
}

/** Unique: of two Parallel states one may contain the other, but then their numbers of steps differ. */
function parallelName(structure: Structure, prefix: 'Parallel' | 'Lost' = 'Parallel'): string {
  const names = namesIn(structure)
  const all = `${prefix}: ${names.join(', ')}`
  return all.length <= 80 ? all : `${prefix}: ${names[0]} and ${names.length - 1} more`
}

function namesIn(structure: Structure): readonly string[] {
  if (structure.kind === 'step') return [structure.name]
  return (structure.kind === 'parallel' ? structure.branches : structure.parts).flatMap(namesIn)
}

function stepNamed(name: string, steps: Steps): WorkflowStep {
  const step = steps.get(name)
  if (step === undefined) throw new Error(`The step ${name} is not in the workflow.`)
  return step
}

function checkLength(workflowName: string, definition: StateMachine): void {
  const bytes = Buffer.byteLength(JSON.stringify(definition))
  if (bytes > LONGEST_DEFINITION) {
    throw new ConfigurationError(
      `Workflow ${workflowName}: its state machine has ${bytes} bytes and Step Functions refuses more than ${LONGEST_DEFINITION}; divide the workflow in two.`,
    )
  }
}
