import { ArnFormat, RemovalPolicy, Stack } from 'aws-cdk-lib'
import { Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Bucket } from 'aws-cdk-lib/aws-s3'
import { DefinitionBody, LogLevel, StateMachine, StateMachineType } from 'aws-cdk-lib/aws-stepfunctions'
import { Construct } from 'constructs'
import { itemsPrefix, under } from 'dray/internal/staging/keys.ts'
import type { CompiledWorkflow } from 'dray/internal/workflow/to-states-language.ts'
import { acknowledge, nameInFindings } from './acknowledge.ts'

export interface WorkflowStateMachineProps {
  readonly compiled: CompiledWorkflow
  /** The Lambda behind a handler's path. */
  readonly functionOf: (handler: string) => IFunction
  readonly logDays: RetentionDays
  /** Where the lists of partitions are that are too many for a payload. */
  readonly staging: { readonly bucket: Bucket; readonly key: IKey; readonly pipelines: readonly string[] }
}

/** The definition that the local runner executes, with the ARNs of Lambdas for its placeholders. */
export class WorkflowStateMachine extends Construct {
  readonly machine: StateMachine

  constructor(scope: Construct, id: string, { compiled, functionOf, logDays, staging }: WorkflowStateMachineProps) {
    super(scope, id)
    const functions = compiled.functions.map(({ placeholder, handler }) => [placeholder, functionOf(handler)] as const)
    this.machine = new StateMachine(this, 'Machine', {
      definitionBody: DefinitionBody.fromString(JSON.stringify(compiled.definition)),
      definitionSubstitutions: Object.fromEntries(functions.map(([name, { functionArn }]) => [name, functionArn])),
      stateMachineType: StateMachineType.STANDARD,
      tracingEnabled: true,
      logs: {
        level: LogLevel.ALL,
        includeExecutionData: false,
        destination: new LogGroup(this, 'Logs', {
          retention: logDays,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
      },
    })
    acknowledge(
      this.machine,
      'AwsSolutions-IAM5[Resource::*]',
      'X-Ray and the delivery of logs know no narrower resource.',
    )
    this.machine.addToRolePolicy(
      new PolicyStatement({
        actions: ['lambda:InvokeFunction'],
        resources: functions.map(([, { functionArn }]) => functionArn),
      }),
    )
    if (staging.pipelines.length > 0) this.#permitDistribution(staging)
  }

  /** A separate policy, since it names the machine, which waits for its role's. */
  #permitDistribution({ bucket, key, pipelines }: WorkflowStateMachineProps['staging']): void {
    const lists = pipelines.map((pipeline) => bucket.arnForObjects(under(itemsPrefix('*', pipeline))))
    const executions = Stack.of(this).formatArn({
      service: 'states',
      resource: 'execution',
      resourceName: `${this.machine.stateMachineName}:*`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    })
    const policy = new Policy(this, 'Distribution', {
      statements: [
        new PolicyStatement({ actions: ['s3:GetObject'], resources: lists }),
        new PolicyStatement({ actions: ['kms:Decrypt'], resources: [key.keyArn] }),
        new PolicyStatement({ actions: ['states:StartExecution'], resources: [this.machine.stateMachineArn] }),
        new PolicyStatement({ actions: ['states:DescribeExecution', 'states:StopExecution'], resources: [executions] }),
      ],
    })
    policy.attachToRole(this.machine.role)
    for (const list of lists) {
      const rule = `AwsSolutions-IAM5[Resource::${nameInFindings(bucket, list)}]`
      acknowledge(policy, rule, "The lists of a pipeline's partitions in all runs, and nothing else.")
    }
    const rule = `AwsSolutions-IAM5[Resource::${nameInFindings(this, executions)}]`
    acknowledge(policy, rule, 'The executions of a Distributed Map are named when they start.')
  }
}
