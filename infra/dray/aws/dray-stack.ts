import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import { EventBus, type IEventBus } from 'aws-cdk-lib/aws-events'
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import type { Code, IFunction } from 'aws-cdk-lib/aws-lambda'
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions'
import type { Construct } from 'constructs'
import { toStatesLanguage } from 'dray/internal/workflow/to-states-language.ts'
import type { Workflow } from 'dray/internal/workflow/workflow.ts'
import { type Environment, portOfDatabase } from '#dray-infra/project/environment.ts'
import { DatabaseAccess } from './database-access.ts'
import { type DeployedHandler, type DeployedWorkflow, handlersOf, triggerHandlers } from './deployed-handlers.ts'
import { reachOf } from './handler-access.ts'
import { HandlerFunction, type HandlerFunctionProps } from './handler-function.ts'
import { permit, type Resources } from './handler-permissions.ts'
import { environmentVariables, stepVariables } from './handler-variables.ts'
import { LineageAccess } from './lineage-access.ts'
import { Network } from './network.ts'
import { Notifications } from './notifications.ts'
import { OperatorPolicies } from './operator-policies.ts'
import { pascalCase } from './pascal-case.ts'
import { stackOutputs } from './stack-outputs.ts'
import { StagingAudit } from './staging-audit.ts'
import { StagingBucket } from './staging-bucket.ts'
import { StateTable } from './state-table.ts'
import { WorkflowAlarms } from './workflow-alarms.ts'
import { WorkflowDashboard } from './workflow-dashboard.ts'
import { WorkflowStateMachine } from './workflow-state-machine.ts'
import { WorkflowTriggers } from './workflow-triggers.ts'

export interface DrayStackProps extends StackProps {
  readonly environment: Environment
  readonly workflows: readonly DeployedWorkflow[]
  /** The bundle of a handler, by its path. */
  readonly codeOf: (handler: string) => Code
}

/** Everything that the workflows need on AWS but the databases themselves. */
export class DrayStack extends Stack {
  readonly #props: DrayStackProps
  readonly #resources: Resources
  readonly #notifications: Notifications
  readonly #bus: IEventBus
  readonly #network: Network | undefined
  readonly #lineage: LineageAccess

  constructor(scope: Construct, id: string, props: DrayStackProps) {
    super(scope, id, props)
    this.#props = props
    const { environment, workflows } = props
    const key = new Key(this, 'Key', {
      description: 'Rows between the steps of Dray, and its notifications',
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN,
    })
    const { bucket } = new StagingBucket(this, 'Staging', { key, keepFor: Duration.days(environment.retention.staged) })
    new StagingAudit(this, 'Audit', { bucket, keepFor: Duration.days(environment.retention.audit) })
    const { table } = new StateTable(this, 'State')
    this.#resources = { key, bucket, table, databases: new DatabaseAccess(this, environment.databases) }
    this.#notifications = new Notifications(this, 'Notifications', { key, settings: environment.notify })
    this.#bus = EventBus.fromEventBusName(this, 'Bus', environment.eventBusName)
    this.#network = this.#createNetwork()
    this.#lineage = new LineageAccess(this, environment.lineage)
    const handlers = handlersOf(workflows, environment)
    const functions = new Map([...handlers].map(([path, handler]) => [path, this.#stepFunction(handler)]))
    const machines = workflows.map(({ workflow }) => this.#createWorkflow(workflow, functions))
    this.#createOperatorPolicies(machines)
    this.#say(stackOutputs.stateTable, table.tableName)
    this.#say(stackOutputs.stagingBucket, bucket.bucketName)
  }

  #createOperatorPolicies(machines: readonly StateMachine[]): void {
    const databaseNames = Object.keys(this.#props.environment.databases)
    const policies = new OperatorPolicies(this, 'Policies', { ...this.#resources, machines, databaseNames })
    this.#say(stackOutputs.operatorPolicy, policies.operator.managedPolicyArn)
    this.#say(stackOutputs.databasePolicy, policies.databases.managedPolicyArn)
  }

  /** For the command. */
  #say(key: string, value: string): void {
    new CfnOutput(this, key, { key, value })
  }

  #createNetwork(): Network | undefined {
    const { vpc, databases } = this.#props.environment
    if (vpc === null) return undefined
    const settings = Object.values(databases)
    return new Network(this, 'Network', {
      settings: vpc,
      ports: settings.map(portOfDatabase),
      needsSecrets: settings.some((database) => 'secret' in database),
    })
  }

  /** The Lambda of a state. */
  #stepFunction({ handler, placeholder, timeoutSeconds, access }: DeployedHandler): IFunction {
    const { bucket, table, databases } = this.#resources
    const reach = reachOf(access)
    const network = reach === null ? undefined : this.#network?.of(reach)
    // There is no way out of the network.
    const reachesSink = network === undefined
    const created = this.#createFunction(this, placeholder, {
      handler,
      timeoutSeconds,
      network,
      environment: stepVariables(access, {
        stateTable: table.tableName,
        stagingUrl: `s3://${bucket.bucketName}`,
        eventBus: this.#bus.eventBusName,
        databases: (names) => databases.variablesOf(names),
        lineage: () => this.#lineage.variablesOf(reachesSink),
      }),
    })
    permit(created.role, access, this.#resources)
    if (access.tellsLineage) this.#lineage.permit(created.role, reachesSink)
    if (access.announces) created.role.addToPrincipalPolicy(this.#announcing())
    return created.function
  }

  #createFunction(
    scope: Construct,
    id: string,
    props: Pick<HandlerFunctionProps, 'handler' | 'timeoutSeconds' | 'environment' | 'network'>,
  ): HandlerFunction {
    const { environment, codeOf } = this.#props
    return new HandlerFunction(scope, id, {
      ...props,
      code: codeOf(props.handler),
      logDays: environment.retention.logs,
      reservedConcurrency: environment.reservedConcurrency[props.handler],
      environment: { ...props.environment, ...environmentVariables(environment) },
    })
  }

  /** Under the names of workflows only, so that no other sender can be imitated. */
  #announcing(): PolicyStatement {
    const sources = this.#props.workflows.map(({ workflow }) => `dray.${workflow.name}`)
    return new PolicyStatement({
      actions: ['events:PutEvents'],
      resources: [this.#bus.eventBusArn],
      conditions: { 'ForAllValues:StringEquals': { 'events:source': sources } },
    })
  }

  #createWorkflow(workflow: Workflow, functions: ReadonlyMap<string, IFunction>): StateMachine {
    const { environment } = this.#props
    const { table, bucket, key } = this.#resources
    const { topic } = this.#notifications
    const name = pascalCase(workflow.name)
    const pipelines = workflow.steps.filter(({ kind }) => kind === 'pipeline').map((step) => step.name)
    const { machine } = new WorkflowStateMachine(this, name, {
      compiled: toStatesLanguage(workflow),
      functionOf: (handler) => functions.get(handler) as IFunction,
      logDays: environment.retention.logs,
      staging: { bucket, key, pipelines },
    })
    const { deadLetters } = new WorkflowTriggers(this, `${name}Triggers`, {
      workflow,
      machine,
      table,
      bus: this.#bus,
      topic,
      createFunction: (scope, id, props) => this.#createTrigger(scope, id, props),
    })
    const watched = { workflow: workflow.name, environment, machine, deadLetters }
    const alarms = new WorkflowAlarms(this, `${name}Alarms`, { ...watched, topic })
    new WorkflowDashboard(this, `${name}Dashboard`, { ...watched, pipelines, alarms })
    this.#say(stackOutputs.machine(workflow.name), machine.stateMachineArn)
    return machine
  }

  #createTrigger(
    scope: Construct,
    id: string,
    props: Pick<HandlerFunctionProps, 'handler' | 'timeoutSeconds' | 'environment'>,
  ): HandlerFunction {
    const cleans = props.handler === triggerHandlers.janitor
    const lineage = cleans ? this.#lineage.variablesOf(true) : {}
    const created = this.#createFunction(scope, id, { ...props, environment: { ...props.environment, ...lineage } })
    if (cleans) this.#lineage.permit(created.role, true)
    if (this.#notifications.encrypted && 'NOTIFICATION_TOPIC_ARN' in props.environment) {
      created.role.addToPrincipalPolicy(
        new PolicyStatement({
          effect: Effect.ALLOW,
          actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
          resources: [this.#resources.key.keyArn],
        }),
      )
    }
    return created
  }
}
