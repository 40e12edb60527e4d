import { formats } from '#dray/messages/formats.ts'
import { runInputOf } from '#dray/messages/run-input.ts'
import { checkedStart } from './checked-start.ts'
import { decompose, type Structure } from './decompose.ts'
import { checkLength, hasRoom } from './definition-length.ts'
import { failureCause, jsonata, onlyOfRun, statusesOf } from './expressions.ts'
import { ancestorsOf, levelsOf, orderOf } from './graph.ts'
import { levelName, levelStates } from './level-states.ts'
import { lostState } from './lost-state.ts'
import type { CompiledPipeline } from './pipeline-machine.ts'
import { pipelinesStates } from './pipeline-states.ts'
import { type FunctionReference, functionsOf, placeholderOf, unitsOf, written } from './placeholders.ts'
import { callsOfEach, reconcileStates } from './reconcile-states.ts'
import type { State, StateMachine, States } from './states-language.ts'
import { catchEverything, type Onward, taskState } from './task-policy.ts'
import { taskStates } from './task-states.ts'
import { machinesOfUnit } from './unit-machines.ts'
import type { Workflow, WorkflowStep } from './workflow.ts'

export interface CompiledWorkflow {
  /** The same for Step Functions and the local interpreter; functions are `${placeholders}`. */
  readonly definition: StateMachine
  readonly functions: readonly FunctionReference[]
  /** The machines that it starts, by the placeholder that names each. */
  readonly machines: ReadonlyMap<string, CompiledPipeline>
  /** Sentences on where steps wait for steps that they do not depend on. */
  readonly notes: readonly string[]
}

/** State names end at 80 characters, and `: left out` comes behind it. */
const LONGEST_GROUP = 64

type Steps = ReadonlyMap<string, WorkflowStep>

const known = new WeakMap<Workflow, CompiledWorkflow>()

/**
 * Compiles a workflow to a state machine that runs every step at most once, after its dependencies, and ends failed
 * when its Finish says so. Where a machine in which each step starts as soon as it can is too large, the steps run
 * level by level. Throws `Configuration` when it cannot be said within the limits of Step Functions at all.
 */
export function toStatesLanguage(workflow: Workflow, fits = hasRoom): CompiledWorkflow {
  if (fits !== hasRoom) return compiledWith(workflow, fits)
  const compiled = known.get(workflow) ?? compiledWith(workflow, fits)
  known.set(workflow, compiled)
  return compiled
}

function compiledWith(workflow: Workflow, fits: typeof hasRoom): CompiledWorkflow {
  const functions = functionsOf(workflow)
  const steps: Steps = new Map(workflow.steps.map((step) => [step.name, step]))
  const order = orderOf(workflow.name, workflow.steps)
  const ancestors = ancestorsOf(workflow.steps, order)
  const { structure, notes } = decompose(order, ancestors)
  const machines = new Map(unitsOf(workflow).flatMap(machinesOfUnit))
  const definition = machineOf(workflow, order, entryOf(structure), statesOf(structure, steps, { Next: 'Finish' }))
  if (fits(definition)) return { definition, functions, machines, notes }
  const levels = levelsOf(order, ancestors).map((names) => names.map((name) => stepNamed(name, steps)))
  const byLevel = machineOf(workflow, order, levelName(0), levelStates(levels, 'Finish'))
  checkLength(workflow.name, byLevel)
  return { definition: byLevel, functions, machines, notes: [noteOnLevels(workflow.name, levels.length)] }
}

function machineOf({ name }: Workflow, order: readonly string[], entry: string, work: [string, State][]): StateMachine {
  return {
    Comment: `${name}, compiled from its workflow()`,
    QueryLanguage: 'JSONata',
    StartAt: 'Start',
    States: Object.fromEntries([...startStates(name, order, entry), ...work, ...endStates(order)]),
  }
}

function noteOnLevels(name: string, levels: number): string {
  return `The steps of ${name} run in ${levels} levels, each after the whole level before it: a state machine in which each starts as soon as it can would be larger than Step Functions takes. Divide the workflow in two to have that.`
}

function startStates(workflowName: string, order: readonly string[], next: string): [string, State][] {
  return checkedStart({
    name: workflowName,
    run: {
      id: jsonata('$states.context.Execution.Name'),
      workflow: workflowName,
      started_at: jsonata('$states.context.Execution.StartTime'),
      trigger: jsonata('$type($states.input.trigger) = "string" ? $states.input.trigger : "manual"'),
    },
    data: { steps: {} },
    schema: runInputOf(order),
    next,
  })
}

function endStates(order: readonly string[]): [string, State][] {
  const input = { run: jsonata('$states.input.run'), steps: jsonata('$states.input.steps') }
  return [
    [
      'Finish',
      taskState({
        stage: 'finish',
        functionName: written(placeholderOf('dray', 'finish')),
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

/** The first state of a structure. */
function entryOf(structure: Structure): string {
  if (structure.kind === 'sequence') return entryOf(structure.parts[0] as Structure)
  return structure.kind === 'parallel' ? parallelName(structure) : structure.name
}

function statesOf(structure: Structure, steps: Steps, onward: Onward): [string, State][] {
  if (structure.kind === 'sequence') {
    return structure.parts.flatMap((part, index) => {
      const next = structure.parts[index + 1]
      return statesOf(part, steps, next === undefined ? onward : { Next: entryOf(next) })
    })
  }
  const group = groupOf(structure, steps)
  if (group !== null) return pipelinesStates(entryOf(structure), group, [...steps.values()], onward)
  if (structure.kind === 'step') return statesOfStep(stepNamed(structure.name, steps), steps, onward)
  return parallelStates(structure, steps, onward)
}

/** Of one that is no pipeline. */
function statesOfStep(step: WorkflowStep, steps: Steps, onward: Onward): [string, State][] {
  return step.kind === 'task'
    ? taskStates(step, onward)
    : reconcileStates(step, callsOfEach([...steps.values()]), onward)
}

/** The pipelines of a structure that is nothing else; null for any other. */
function groupOf(structure: Structure, steps: Steps): readonly WorkflowStep[] | null {
  const parts = structure.kind === 'parallel' ? structure.branches : [structure]
  const pipelines = parts.flatMap((part) => (part.kind === 'step' ? [stepNamed(part.name, steps)] : []))
  return pipelines.length === parts.length && pipelines.every(({ kind }) => kind !== 'task' && kind !== 'reconcile')
    ? pipelines
    : null
}

/** Its pipelines that wait for nothing within it are one branch. */
function branchesOf(branches: readonly Structure[], steps: Steps): readonly Structure[] {
  const isPipeline = (branch: Structure) => groupOf(branch, steps) !== null
  const [pipelines, others] = [branches.filter(isPipeline), branches.filter((branch) => !isPipeline(branch))]
  if (pipelines.length < 2) return branches
  return [{ kind: 'parallel', branches: pipelines }, ...others]
}

function parallelStates(structure: Structure & { kind: 'parallel' }, steps: Steps, onward: Onward): [string, State][] {
  const lost = `${parallelName(structure)}: lost`
  return [
    [parallelName(structure), parallelState(structure.branches, steps, lost, onward)],
    [lost, lostState(namesIn(structure), onward)],
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
    Branches: branchesOf(branches, steps).map(
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

/** Unique: of two states of several steps one may contain the other, but then their numbers of steps differ. */
function parallelName(structure: Structure): string {
  const names = namesIn(structure)
  const all = names.join(' and ')
  return all.length <= LONGEST_GROUP ? all : `${names[0]} and ${names.length - 1} more`
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

/** Every function that a workflow's machine and those of its pipelines call, once. */
export function everyFunction({ functions, machines }: CompiledWorkflow): readonly FunctionReference[] {
  const all = [...functions, ...[...machines.values()].flatMap((machine) => machine.functions)]
  return [...new Map(all.map((reference) => [reference.placeholder, reference])).values()]
}
