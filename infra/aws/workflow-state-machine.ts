import { RemovalPolicy } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import { DefinitionBody, LogLevel, StateMachine, StateMachineType } from 'aws-cdk-lib/aws-stepfunctions'
import { Construct } from 'constructs'
import type { CompiledWorkflow } from '#shared/workflow/index.ts'

export interface WorkflowStateMachineProps {
  readonly compiled: CompiledWorkflow
  /** The Lambda behind a handler's path. */
  readonly functionOf: (handler: string) => IFunction
}

/** The definition that the local runner executes, with the ARNs of Lambdas for its placeholders. */
export class WorkflowStateMachine extends Construct {
  readonly machine: StateMachine

  constructor(scope: Construct, id: string, { compiled, functionOf }: WorkflowStateMachineProps) {
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
          retention: RetentionDays.ONE_MONTH,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
      },
    })
    this.machine.addToRolePolicy(
      new PolicyStatement({
        actions: ['lambda:InvokeFunction'],
        resources: functions.map(([, { functionArn }]) => functionArn),
      }),
    )
  }
}
