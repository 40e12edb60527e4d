import {
  DescribeStateMachineCommand,
  paginateListExecutions,
  paginateListStateMachines,
  type SFNClient,
  type StateMachineListItem,
} from '@aws-sdk/client-sfn'
import { machinesIn, startedMachinesIn } from 'dray/internal/workflow/machines-in.ts'
import { allUnitsOf } from 'dray/internal/workflow/placeholders.ts'
import { machinesOfUnit } from 'dray/internal/workflow/unit-machines.ts'
import type { Workflow } from 'dray/internal/workflow/workflow.ts'
import { patternOf, pipelineMachineName, stacksOfPipelines, workflowMachineName } from '#dray-infra/aws/names.ts'

/** Names of the state machines that an environment has once these workflows are deployed. */
export function machineNames(environment: string, workflows: readonly Workflow[]): ReadonlySet<string> {
  const stacks = stacksOfPipelines(allUnitsOf(workflows).map((unit) => unit.name))
  return new Set([
    ...workflows.map(({ name }) => workflowMachineName(environment, name)),
    ...allUnitsOf(workflows).flatMap((unit) =>
      machinesOfUnit(unit).map(([, { name }]) => pipelineMachineName(environment, name, stacks.get(unit.name) ?? 1)),
    ),
  ])
}

/** A run that a deployment would end. */
export interface LeavingRun {
  readonly run: string
  /** The state machine of the environment that it is an execution of. */
  readonly machine: string
}

/**
 * Running executions of state machines that are in an environment and not among those that stay, and of workflows that
 * start one of these: Step Functions ends the executions of a machine that is deleted.
 */
export async function runsOnLeavingMachines(
  client: SFNClient,
  environment: string,
  stays: ReadonlySet<string>,
): Promise<readonly LeavingRun[]> {
  const machines = await machinesOf(client, environment)
  const leaving = machines.filter(({ name = '' }) => !stays.has(name))
  const gone = new Set(leaving.map(({ stateMachineArn }) => stateMachineArn))
  const runs: LeavingRun[] = []
  for (const machine of machines) {
    if (gone.has(machine.stateMachineArn) || (gone.size > 0 && (await startsOneOf(client, machine, gone))))
      runs.push(...(await runsOf(client, machine)))
  }
  return runs
}

async function machinesOf(client: SFNClient, environment: string): Promise<StateMachineListItem[]> {
  const prefix = patternOf(environment).slice(0, -1)
  const machines: StateMachineListItem[] = []
  for await (const { stateMachines = [] } of paginateListStateMachines({ client }, {}))
    machines.push(...stateMachines.filter(({ name = '' }) => name.startsWith(prefix)))
  return machines
}

async function startsOneOf(
  client: SFNClient,
  { stateMachineArn }: StateMachineListItem,
  machines: ReadonlySet<string | undefined>,
): Promise<boolean> {
  const { definition = '{}' } = await client.send(new DescribeStateMachineCommand({ stateMachineArn }))
  const started = [...machinesIn(definition).values(), ...startedMachinesIn(definition)]
  return started.some((machine) => machines.has(machine))
}

async function runsOf(client: SFNClient, { name = '', stateMachineArn }: StateMachineListItem): Promise<LeavingRun[]> {
  const runs: LeavingRun[] = []
  const running = { stateMachineArn, statusFilter: 'RUNNING' } as const
  for await (const { executions = [] } of paginateListExecutions({ client }, running))
    runs.push(...executions.map((execution) => ({ run: execution.name ?? '', machine: name })))
  return runs
}
