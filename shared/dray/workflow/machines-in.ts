import { executionSuffix, isTableStep, unitOf } from '#dray/messages/step-name.ts'

/**
 * The ARN of the state machine of each pipeline that a workflow's definition names, as deployed: `itemOf` writes the
 * two beside each other. What is not a definition names none.
 */
export function machinesIn(definition: string): ReadonlyMap<string, string> {
  return new Map(namedIn(definition).map(({ step, machine }) => [step, machine]))
}

/** The replicas among them: the item of each names the tables that it leaves out. */
export function replicasIn(definition: string): readonly string[] {
  return namedIn(definition).flatMap(({ step, isReplica }) => (isReplica ? [step] : []))
}

/** The machines that a definition starts by their own ARNs: that of a replica starts the one of its tables. */
export function startedMachinesIn(definition: string): readonly string[] {
  const arns = partsOf(JSON.parse(definition)).map(({ StateMachineArn: arn }) => arn)
  return [...new Set(arns.filter((arn): arn is string => typeof arn === 'string' && arn.startsWith('arn:')))]
}

/** The execution of a machine by its name. */
export function executionArn(machine: string, name: string): string {
  return `${machine.replace(':stateMachine:', ':execution:')}:${name}`
}

/**
 * The executions that one, of a workflow or of a replica by itself, has started for these steps: replicas before their
 * tables. `definitionOf` tells what an execution works by; null where there is none.
 */
export async function startedExecutions(
  { machine, run }: { readonly machine: string; readonly run: string },
  steps: readonly string[],
  definitionOf: (execution: string) => Promise<string | null>,
): Promise<readonly string[]> {
  const definition = await definitionOf(executionArn(machine, run))
  if (definition === null) return []
  const machines = machinesIn(definition)
  const tableMachines = new Map<string, string | undefined>()
  const tableMachineOf = async (replica: string) => {
    const own = machines.get(replica)
    const its = own === undefined ? definition : await definitionOf(executionArn(own, run))
    return its === null ? undefined : startedMachinesIn(its)[0]
  }
  const started: string[] = []
  for (const step of [...steps].sort((one, other) => Number(isTableStep(one)) - Number(isTableStep(other)))) {
    const replica = unitOf(step)
    if (isTableStep(step) && !machines.has(step) && !tableMachines.has(replica))
      tableMachines.set(replica, await tableMachineOf(replica))
    const its = machines.get(step) ?? (isTableStep(step) ? tableMachines.get(replica) : undefined)
    if (its !== undefined) started.push(executionArn(its, isTableStep(step) ? `${run}-${executionSuffix(step)}` : run))
  }
  return started
}

interface NamedStep {
  readonly step: string
  readonly machine: string
  readonly isReplica: boolean
}

function namedIn(definition: string): NamedStep[] {
  return partsOf(JSON.parse(definition)).flatMap(({ step, machine, except }) =>
    typeof step === 'string' && typeof machine === 'string'
      ? [{ step, machine, isReplica: Array.isArray(except) }]
      : [],
  )
}

type Part = Readonly<Record<string, unknown>>

/** Every object of a definition, itself among them. */
function partsOf(value: unknown): Part[] {
  if (typeof value !== 'object' || value === null) return []
  return [value as Part, ...Object.values(value).flatMap(partsOf)]
}
