import { ArnFormat, Aws, Stack } from 'aws-cdk-lib'
import type { IEventBus } from 'aws-cdk-lib/aws-events'
import { type IRole, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import type { Environment } from '#dray-infra/project/environment.ts'
import { acknowledge, nameInFindings } from './acknowledge.ts'
import type { ReachingHandler } from './deployed-handlers.ts'
import { reachOf } from './handler-access.ts'
import { permit, type Resources } from './handler-permissions.ts'
import type { LineageAccess } from './lineage-access.ts'
import { roleNameOf } from './names.ts'
import { pascalCase } from './pascal-case.ts'

export interface FunctionRolesProps {
  readonly environment: Environment
  readonly handlers: readonly ReachingHandler[]
  readonly resources: Resources
  readonly bus: IEventBus
  readonly lineage: LineageAccess
  /** The names of all workflows. */
  readonly workflows: readonly string[]
}

/**
 * The roles of the functions that state machines call, by what these do: an account has a thousand roles, so that they
 * grow with the databases and not with the pipelines.
 */
export class FunctionRoles extends Construct {
  readonly #props: FunctionRolesProps

  constructor(scope: Construct, id: string, props: FunctionRolesProps) {
    super(scope, id)
    this.#props = props
    const roles = new Map(props.handlers.map((handler) => [handler.role, handler]))
    for (const [name, handler] of [...roles].toSorted(([one], [other]) => (one < other ? -1 : 1))) {
      this.#createRole(name, handler)
    }
  }

  #createRole(name: string, { access }: ReachingHandler): void {
    const { environment, resources, lineage } = this.#props
    const role = new Role(this, pascalCase(name), {
      roleName: roleNameOf(environment.name, name, Aws.REGION),
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    })
    const isInNetwork = environment.vpc !== null && reachOf(access) !== null
    permitFunction(role, environment.name, isInNetwork)
    permit(role, access, resources)
    // There is no way out of the network.
    if (access.tellsLineage) lineage.permit(role, !isInNetwork)
    if (access.announces) role.addToPrincipalPolicy(this.#announcing())
  }

  /** Under the names of workflows only, so that no other sender can be imitated. */
  #announcing(): PolicyStatement {
    const { bus, workflows } = this.#props
    return new PolicyStatement({
      actions: ['events:PutEvents'],
      resources: [bus.eventBusArn],
      conditions: { 'ForAllValues:StringEquals': { 'events:source': workflows.map((name) => `dray.${name}`) } },
    })
  }
}

/** What every function needs: its logs, its traces, and an interface in its network. */
export function permitFunction(role: IRole, environment: string, isInNetwork: boolean): void {
  const logs = Stack.of(role).formatArn({
    service: 'logs',
    resource: 'log-group',
    resourceName: `/dray/${environment}/*`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  })
  const statements = [
    new PolicyStatement({ actions: ['logs:CreateLogStream', 'logs:PutLogEvents'], resources: [logs] }),
    new PolicyStatement({ actions: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], resources: ['*'] }),
    ...(isInNetwork ? [new PolicyStatement({ actions: interfaces, resources: ['*'] })] : []),
  ]
  for (const statement of statements) role.addToPrincipalPolicy(statement)
  acknowledge(role, 'AwsSolutions-IAM5[Resource::*]', 'X-Ray and network interfaces know no narrower resource.')
  acknowledge(
    role,
    `AwsSolutions-IAM5[Resource::${nameInFindings(role, logs)}]`,
    'The log groups of the environment, and no others.',
  )
}

/** https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions */
const interfaces = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
]
