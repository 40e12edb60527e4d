import { resolve } from 'node:path'
import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Architecture, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda'
import { LogLevel, NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'

const project = resolve(import.meta.dirname, '../..')

/** Bundled CommonJS packages (`pg`) call `require`, which an ES module does not have. */
const requireInModule =
  "import { createRequire as dray_createRequire } from 'node:module'; const require = dray_createRequire(import.meta.url);"

export interface HandlerFunctionProps {
  /** The file that exports `handler`, relative to the project's root. */
  readonly handler: string
  readonly timeoutSeconds: number
  readonly environment: Readonly<Record<string, string>>
}

/** One handler as a Lambda, with its own role and its own log group. */
export class HandlerFunction extends Construct {
  readonly function: NodejsFunction

  constructor(scope: Construct, id: string, props: HandlerFunctionProps) {
    super(scope, id)
    const logGroup = new LogGroup(this, 'Logs', {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') })
    logGroup.grantWrite(role)
    this.function = new NodejsFunction(this, 'Function', {
      description: props.handler,
      entry: resolve(project, props.handler),
      handler: 'handler',
      projectRoot: project,
      depsLockFilePath: resolve(project, 'package-lock.json'),
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      // One whole processor; the handlers are bound by it, not by memory.
      memorySize: 1769,
      timeout: Duration.seconds(props.timeoutSeconds),
      tracing: Tracing.ACTIVE,
      role,
      logGroup,
      environment: { ...props.environment, NODE_OPTIONS: '--enable-source-maps' },
      awsSdkConnectionReuse: false,
      bundling: {
        format: OutputFormat.ESM,
        target: 'node24',
        mainFields: ['module', 'main'],
        banner: requireInModule,
        minify: true,
        keepNames: true,
        sourceMap: true,
        sourcesContent: false,
        // The SDK is bundled at the version that was tested. `pg` looks for its native twin, which is never installed.
        bundleAwsSDK: true,
        externalModules: ['pg-native'],
        logLevel: LogLevel.ERROR,
      },
    })
  }
}
