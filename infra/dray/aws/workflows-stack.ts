import { NestedStack, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import { EventBus } from 'aws-cdk-lib/aws-events'
import { type ILogGroup, LogGroup } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { unitOf } from 'dray/internal/messages/step-name.ts'
import { allUnitsOf, functionsOf, unitsOf } from 'dray/internal/workflow/placeholders.ts'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import type { Workflow } from 'dray/internal/workflow/workflow.ts'
import type { DeployedHandler } from './deployed-handlers.ts'
import type { EnvironmentFunctionsProps } from './environment-functions.ts'
import { machineRoles } from './machine-roles.ts'
import {
  controlFunctionName,
  logGroupOf,
  pipelineMachineName,
  schemaFunctionName,
  workflowFunctionName,
  workflowMachineName,
} from './names.ts'
import { pascalCase } from './pascal-case.ts'
import { PipelinesWatch } from './pipelines-watch.ts'
import { SharedParts } from './shared-parts.ts'
import { createStateMachine, machineArn } from './state-machine.ts'
import { WorkflowAlarms } from './workflow-alarms.ts'
import { WorkflowDashboard } from './workflow-dashboard.ts'
import { WorkflowTriggers } from './workflow-triggers.ts'

export interface WorkflowsStackProps extends StackProps, EnvironmentFunctionsProps {
  readonly workflows: readonly Workflow[]
  readonly handlers: ReadonlyMap<string, DeployedHandler>
  readonly schema: DeployedHandler
  /** The stack of each pipeline. */
  readonly stackOfPipeline: ReadonlyMap<string, number>
}

/**
 * The workflows of an environment, each in a nested stack, with the functions that say how pipelines ended and end
 * runs, and what looks after pipelines that are started by hand.
 */
export class WorkflowsStack extends Stack {
  constructor(scope: Construct, id: string, props: WorkflowsStackProps) {
    super(scope, id, props)
    const { environment, workflows } = props
    const shared = new SharedParts(this, props)
    const control = this.#createControl(shared, props)
    this.#createSchema(shared, props)
    const nested = new Construct(this, 'Workflows')
    for (const workflow of workflows) {
      new WorkflowStack(nested, pascalCase(workflow.name), { ...props, workflow, control })
    }
    new PipelinesWatch(this, 'Pipelines', {
      environment,
      table: shared.table,
      topic: shared.topic,
      hasReplicas: allUnitsOf(workflows).some(({ kind }) => kind === 'replica'),
      createFunction: (at, name, given) =>
        shared.createTrigger(at, given, controlFunctionName(environment.name, name, 'workflows'), shared.controlLogs),
    })
  }

  /** For `dray schema`, which calls it as it is deployed now. */
  #createSchema({ functions, controlLogs }: SharedParts, { environment, schema }: WorkflowsStackProps): void {
    functions.ofState(this, 'Schema', schema, { name: schemaFunctionName(environment.name), logGroup: controlLogs })
  }

  #createControl({ functions, controlLogs }: SharedParts, { environment, handlers, workflows }: WorkflowsStackProps) {
    const called = new Set(workflows.flatMap((workflow) => functionsOf(workflow).map(({ handler }) => handler)))
    const control = [...handlers.values()].filter(
      ({ handler }) => handler.startsWith('functions/dray/') && called.has(handler),
    )
    return new Map(
      control.map((handler) => {
        const name = controlFunctionName(environment.name, handler.role, 'workflows')
        const given = { name, logGroup: controlLogs }
        return [handler.handler, functions.ofState(this, pascalCase(handler.role), handler, given).versionArn]
      }),
    )
  }
}

interface WorkflowStackProps extends WorkflowsStackProps {
  readonly workflow: Workflow
  readonly control: ReadonlyMap<string, string>
}

/** A workflow: its state machine, its tasks, what starts it and what watches it. */
class WorkflowStack extends NestedStack {
  constructor(scope: Construct, id: string, props: WorkflowStackProps) {
    const { environment, workflow } = props
    super(scope, id, { description: `The workflow ${workflow.name} of ${environment.name}` })
    const shared = new SharedParts(this, props)
    const logGroup = new LogGroup(this, 'Logs', {
      logGroupName: logGroupOf.workflow(environment.name, workflow.name),
      retention: environment.retention.logs,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const machine = this.#createMachine(shared, logGroup, props)
    const { deadLetters } = new WorkflowTriggers(this, 'Triggers', {
      environment,
      workflow,
      machine,
      table: shared.table,
      bus: EventBus.fromEventBusName(this, 'Bus', environment.eventBusName),
      topic: shared.topic,
      createFunction: (at, id, given) =>
        shared.createTrigger(
          at,
          { ...given, id },
          workflowFunctionName(environment.name, workflow.name, id.toLowerCase()),
          logGroup,
        ),
    })
    const watched = { workflow: workflow.name, environment, machine, deadLetters }
    const alarms = new WorkflowAlarms(this, 'Alarms', { ...watched, topic: shared.topic })
    new WorkflowDashboard(this, 'Dashboard', { ...watched, pipelines: unitsOf(workflow), alarms })
  }

  #createMachine({ functions }: SharedParts, logGroup: ILogGroup, props: WorkflowStackProps) {
    const { environment, workflow, handlers, control, stackOfPipeline } = props
    const { definition, functions: called, machines } = toStatesLanguage(workflow)
    const ofFunctions = called.map(({ placeholder, handler }): [string, string] => {
      const shared = control.get(handler)
      if (shared !== undefined) return [placeholder, shared]
      const task = handler.replace(/^functions\/(.+)\/run\.ts$/, '$1')
      const name = workflowFunctionName(environment.name, workflow.name, task, 'run')
      const deployed = handlers.get(handler) as DeployedHandler
      return [placeholder, functions.ofState(this, `${pascalCase(task)}Run`, deployed, { name, logGroup }).versionArn]
    })
    const ofPipelines = [...machines].map(([placeholder, { name }]): [string, string] => {
      const stack = stackOfPipeline.get(unitOf(name)) as number
      return [placeholder, machineArn(pipelineMachineName(environment.name, name, stack))]
    })
    return createStateMachine(this, 'Machine', {
      name: workflowMachineName(environment.name, workflow.name),
      definition,
      arns: Object.fromEntries([...ofFunctions, ...ofPipelines]),
      role: functions.role(machineRoles.workflows),
      logGroup: LogGroup.fromLogGroupName(this, 'MachineLogs', logGroupOf.machines(environment.name)),
    })
  }
}
