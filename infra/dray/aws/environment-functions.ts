import { Aws, Fn, Stack } from 'aws-cdk-lib'
import { SecurityGroup } from 'aws-cdk-lib/aws-ec2'
import { type IRole, Role } from 'aws-cdk-lib/aws-iam'
import type { Code } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import type { Environment } from '#dray-infra/project/environment.ts'
import { DatabaseAccess } from './database-access.ts'
import type { DeployedHandler } from './deployed-handlers.ts'
import { type Reach, reachOf } from './handler-access.ts'
import { HandlerFunction, type HandlerFunctionProps } from './handler-function.ts'
import { environmentVariables, stepVariables } from './handler-variables.ts'
import { LineageAccess } from './lineage-access.ts'
import { roleNameOf } from './names.ts'
import { type NetworkPlace, vpcOf } from './network.ts'
import { exportOf, stackOutputs } from './stack-outputs.ts'

export interface EnvironmentFunctionsProps {
  readonly environment: Environment
  /** The bundle of a handler, by its path. */
  readonly codeOf: (handler: string) => Code
}

type Given = Pick<HandlerFunctionProps, 'name' | 'logGroup'>

/** Makes the functions of one stack of an environment, with what the others have that they need. */
export class EnvironmentFunctions {
  readonly stateTable: string
  readonly stagingBucket: string
  readonly #scope: Construct
  readonly #props: EnvironmentFunctionsProps
  readonly #databases: DatabaseAccess
  readonly #lineage: LineageAccess
  readonly #roles = new Map<string, IRole>()
  readonly #networks = new Map<Reach, NetworkPlace>()

  constructor(scope: Construct, props: EnvironmentFunctionsProps) {
    this.#scope = scope
    this.#props = props
    this.#databases = new DatabaseAccess(scope, props.environment.databases)
    this.#lineage = new LineageAccess(scope, props.environment.lineage)
    this.stateTable = imported(props.environment, stackOutputs.stateTable)
    this.stagingBucket = imported(props.environment, stackOutputs.stagingBucket)
  }

  /** The function of a state. */
  ofState(scope: Construct, id: string, { handler, timeoutSeconds, access, role }: DeployedHandler, given: Given) {
    const { environment } = this.#props
    const reach = environment.vpc === null ? null : reachOf(access)
    const network = reach === null ? undefined : this.#network(reach)
    return this.create(scope, id, {
      ...given,
      handler,
      timeoutSeconds,
      network,
      role: this.role(role),
      environment: stepVariables(access, {
        stateTable: this.stateTable,
        stagingUrl: `s3://${this.stagingBucket}`,
        eventBus: environment.eventBusName,
        databases: (names) => this.#databases.variablesOf(names),
        // There is no way out of the network.
        lineage: () => this.#lineage.variablesOf(network === undefined),
      }),
    })
  }

  create(scope: Construct, id: string, props: Omit<HandlerFunctionProps, 'code' | 'reservedConcurrency'>) {
    const { environment, codeOf } = this.#props
    return new HandlerFunction(scope, id, {
      ...props,
      code: codeOf(props.handler),
      reservedConcurrency: environment.reservedConcurrency[props.handler],
      environment: { ...props.environment, ...environmentVariables(environment) },
    })
  }

  /** A role of the environment's first stack. */
  role(name: string): IRole {
    const known = this.#roles.get(name)
    if (known) return known
    const stack = Stack.of(this.#scope)
    const arn = stack.formatArn({
      service: 'iam',
      region: '',
      resource: 'role',
      resourceName: roleNameOf(this.#props.environment.name, name, Aws.REGION),
    })
    const role = Role.fromRoleArn(this.#scope, `Role-${name}`, arn, { mutable: false })
    this.#roles.set(name, role)
    return role
  }

  #network(reach: Reach): NetworkPlace {
    const known = this.#networks.get(reach)
    if (known) return known
    const { environment } = this.#props
    if (environment.vpc === null) throw new Error('The environment names no network.')
    const group = reach === 'databases' ? stackOutputs.databasesGroup : stackOutputs.stagingGroup
    const place = {
      vpc: vpcOf(this.#scope, `Vpc-${reach}`, environment.vpc),
      securityGroup: SecurityGroup.fromSecurityGroupId(this.#scope, `Group-${reach}`, imported(environment, group), {
        mutable: false,
      }),
    }
    this.#networks.set(reach, place)
    return place
  }
}

/** What the environment's first stack says of itself. */
export function imported({ name }: { readonly name: string }, output: string): string {
  return Fn.importValue(exportOf(name, output))
}
