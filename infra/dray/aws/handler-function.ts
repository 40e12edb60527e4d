import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import type { IRole } from 'aws-cdk-lib/aws-iam'
import { Architecture, type Code, Function as Lambda, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda'
import type { ILogGroup } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { NODE_OPTIONS } from './handler-variables.ts'
import type { NetworkPlace } from './network.ts'

export interface HandlerFunctionProps {
  readonly name: string
  /** The file that exports `handler`, relative to the project's root. */
  readonly handler: string
  /** Its bundle: a folder with `index.mjs`. */
  readonly code: Code
  readonly timeoutSeconds: number
  readonly environment: Readonly<Record<string, string>>
  readonly role: IRole
  readonly logGroup: ILogGroup
  readonly reservedConcurrency?: number | undefined
  /** Where it runs, if not outside of any network. */
  readonly network?: NetworkPlace | undefined
}

/** One handler as a Lambda. */
export class HandlerFunction extends Construct {
  readonly function: Lambda

  constructor(scope: Construct, id: string, props: HandlerFunctionProps) {
    super(scope, id)
    this.function = new Lambda(this, 'Function', {
      functionName: props.name,
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
      role: props.role,
      logGroup: props.logGroup,
      environment: { ...props.environment, NODE_OPTIONS: NODE_OPTIONS },
      // Executions go on with the version that they began with; what none uses any more is deleted: see versions.ts.
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN },
      ...(props.reservedConcurrency === undefined ? {} : { reservedConcurrentExecutions: props.reservedConcurrency }),
      ...(props.network
        ? {
            vpc: props.network.vpc,
            vpcSubnets: { subnets: props.network.vpc.isolatedSubnets },
            securityGroups: [props.network.securityGroup],
          }
        : {}),
    })
  }

  /** The ARN of the code as it is deployed now, which stays what it is. */
  get versionArn(): string {
    return this.function.currentVersion.functionArn
  }
}
