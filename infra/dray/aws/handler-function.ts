import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Architecture, type Code, Function as Lambda, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda'
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { acknowledge } from './acknowledge.ts'
import { NODE_OPTIONS } from './handler-variables.ts'
import type { NetworkPlace } from './network.ts'

export interface HandlerFunctionProps {
  /** The file that exports `handler`, relative to the project's root. */
  readonly handler: string
  /** Its bundle: a folder with `index.mjs`. */
  readonly code: Code
  readonly timeoutSeconds: number
  readonly environment: Readonly<Record<string, string>>
  readonly logDays: RetentionDays
  readonly reservedConcurrency?: number | undefined
  /** Where it runs, if not outside of any network. */
  readonly network?: NetworkPlace | undefined
}

/** One handler as a Lambda, with its own role and its own log group. */
export class HandlerFunction extends Construct {
  readonly function: Lambda
  readonly role: Role

  constructor(scope: Construct, id: string, props: HandlerFunctionProps) {
    super(scope, id)
    const logGroup = new LogGroup(this, 'Logs', { retention: props.logDays, removalPolicy: RemovalPolicy.DESTROY })
    this.role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') })
    logGroup.grantWrite(this.role)
    this.#permitTracing()
    if (props.network) this.#permitNetwork()
    this.function = new Lambda(this, 'Function', {
      description: props.handler,
      code: props.code,
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      // One whole processor; the handlers are bound by it, not by memory.
      memorySize: 1769,
      timeout: Duration.seconds(props.timeoutSeconds),
      tracing: Tracing.ACTIVE,
      // The CDK would add managed policies to it that allow more.
      role: this.role.withoutPolicyUpdates(),
      logGroup,
      environment: { ...props.environment, NODE_OPTIONS: NODE_OPTIONS },
      ...(props.reservedConcurrency === undefined ? {} : { reservedConcurrentExecutions: props.reservedConcurrency }),
      ...(props.network
        ? {
            vpc: props.network.vpc,
            vpcSubnets: { subnets: props.network.vpc.isolatedSubnets },
            securityGroups: [props.network.securityGroup],
          }
        : {}),
    })
    this.function.node.addDependency(this.role)
  }

  #permitTracing(): void {
    this.role.addToPrincipalPolicy(
      new PolicyStatement({ actions: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], resources: ['*'] }),
    )
    acknowledge(this.role, 'AwsSolutions-IAM5[Resource::*]', 'X-Ray and network interfaces know no narrower resource.')
  }

  /** https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions */
  #permitNetwork(): void {
    const actions = [
      'ec2:CreateNetworkInterface',
      'ec2:DescribeNetworkInterfaces',
      'ec2:DescribeSubnets',
      'ec2:DeleteNetworkInterface',
      'ec2:AssignPrivateIpAddresses',
      'ec2:UnassignPrivateIpAddresses',
    ]
    this.role.addToPrincipalPolicy(new PolicyStatement({ actions, resources: ['*'] }))
  }
}
