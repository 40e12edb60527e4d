import { RemovalPolicy } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs'
import { DefinitionBody, LogLevel, StateMachine, StateMachineType } from 'aws-cdk-lib/aws-stepfunctions'
import { Construct } from 'constructs'
import type { CompiledWorkflow } from '#shared/workflow/index.ts'
import { acknowledge } from './acknowledge.ts'

export interface WorkflowStateMachineProps {
  readonly compiled: CompiledWorkflow
  /** The Lambda behind a handler's path. */
  readonly functionOf: (handler: string) => IFunction
  readonly logDays: RetentionDays
}

/** The definition that the local runner executes, with the ARNs of Lambdas for its placeholders. */
export class WorkflowStateMachine extends Construct {
  readonly machine: StateMachine

  constructor(scope: Construct, id: string, { compiled, functionOf, logDays }: WorkflowStateMachineProps) {
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
  }
}
