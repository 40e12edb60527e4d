import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import { EventBus } from 'aws-cdk-lib/aws-events'
import { Key } from 'aws-cdk-lib/aws-kms'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import { type Environment, portOfDatabase } from '#dray-infra/project/environment.ts'
import { DatabaseAccess } from './database-access.ts'
import type { DeployedHandler } from './deployed-handlers.ts'
import { FunctionRoles } from './function-roles.ts'
import type { Resources } from './handler-permissions.ts'
import { LineageAccess } from './lineage-access.ts'
import { MachineRoles } from './machine-roles.ts'
import { logGroupOf } from './names.ts'
import { Network } from './network.ts'
import { Notifications } from './notifications.ts'
import { OperatorPolicies } from './operator-policies.ts'
import { exportOf, stackOutputs } from './stack-outputs.ts'
import { StagingAudit } from './staging-audit.ts'
import { StagingBucket } from './staging-bucket.ts'
import { StateTable } from './state-table.ts'

export interface DrayStackProps extends StackProps {
  readonly environment: Environment
  /** The names of all workflows. */
  readonly workflows: readonly string[]
  /** What state machines and the command call. */
  readonly functions: readonly DeployedHandler[]
  /** Whether a workflow runs a replica. */
  readonly hasReplicas: boolean
}

/**
 * What all pipelines and workflows of an environment share: where rows and state are, what functions and state
 * machines may do, what people may. It grows with the databases, not with the pipelines.
 */
export class DrayStack extends Stack {
  readonly #environment: Environment
  readonly #resources: Resources

  constructor(scope: ConstructorParameters<typeof Stack>[0], id: string, props: DrayStackProps) {
    super(scope, id, props)
    const { environment } = props
    this.#environment = environment
    const key = new Key(this, 'Key', {
      description: 'Rows between the steps of Dray, and its notifications',
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    })
    const { bucket } = new StagingBucket(this, 'Staging', { key, keepFor: Duration.days(environment.retention.staged) })
    new StagingAudit(this, 'Audit', { bucket, keepFor: Duration.days(environment.retention.audit) })
    const { table } = new StateTable(this, 'State')
    this.#resources = { key, bucket, table, databases: new DatabaseAccess(this, environment.databases) }
    this.#createLogGroups()
    this.#createRoles(props)
    this.#createNetwork()
    new Notifications(this, 'Notifications', { environment: environment.name, key, settings: environment.notify })
    this.#createOperatorPolicies()
    this.#say(stackOutputs.stateTable, table.tableName)
    this.#say(stackOutputs.stagingBucket, bucket.bucketName)
    this.#say(stackOutputs.key, key.keyArn)
  }

  #createRoles({ environment, functions, workflows, hasReplicas }: DrayStackProps): void {
    new FunctionRoles(this, 'Roles', {
      environment,
      handlers: functions,
      resources: this.#resources,
      bus: EventBus.fromEventBusName(this, 'Bus', environment.eventBusName),
      lineage: new LineageAccess(this, environment.lineage),
      workflows,
    })
    new MachineRoles(this, 'Machines', { environment, ...this.#resources, hasReplicas })
  }

  #createOperatorPolicies(): void {
    const { name, databases } = this.#environment
    const databaseNames = Object.keys(databases)
    const policies = new OperatorPolicies(this, 'Policies', { ...this.#resources, environment: name, databaseNames })
    this.#say(stackOutputs.operatorPolicy, policies.operator.managedPolicyArn)
    this.#say(stackOutputs.databasePolicy, policies.databases.managedPolicyArn)
  }

  #createLogGroups(): void {
    const { name, retention } = this.#environment
    const kept = { retention: retention.logs, removalPolicy: RemovalPolicy.DESTROY }
    new LogGroup(this, 'ControlLogs', { logGroupName: logGroupOf.control(name), ...kept })
    new LogGroup(this, 'MachineLogs', { logGroupName: logGroupOf.machines(name), ...kept })
  }

  #createNetwork(): void {
    const { vpc, databases } = this.#environment
    if (vpc === null) return
    const settings = Object.values(databases)
    const network = new Network(this, 'Network', {
      settings: vpc,
      ports: settings.map(portOfDatabase),
      needsSecrets: settings.some((database) => 'secret' in database),
    })
    this.#say(stackOutputs.databasesGroup, network.groups.databases.securityGroupId)
    this.#say(stackOutputs.stagingGroup, network.groups.staging.securityGroupId)
  }

  /** For the command, and for the other stacks of the environment. */
  #say(key: string, value: string): void {
    new CfnOutput(this, key, { key, value, exportName: exportOf(this.#environment.name, key) })
  }
}
