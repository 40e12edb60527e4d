import { Aws } from 'aws-cdk-lib'
import type { IRole } from 'aws-cdk-lib/aws-iam'
import type { ILogGroup } from 'aws-cdk-lib/aws-logs'
import { DefinitionBody, LogLevel, StateMachine, StateMachineType } from 'aws-cdk-lib/aws-stepfunctions'
import type { Construct } from 'constructs'
import type { StateMachine as Definition } from 'dray/internal/workflow/states-language.ts'

export interface StateMachineProps {
  readonly name: string
  readonly definition: Definition
  /** The ARN behind each placeholder of the definition. */
  readonly arns: Readonly<Record<string, string>>
  readonly role: IRole
  readonly logGroup: ILogGroup
}

/** The definition that the local runner executes, with ARNs for its placeholders. */
export function createStateMachine(scope: Construct, id: string, props: StateMachineProps): StateMachine {
  return new StateMachine(scope, id, {
    stateMachineName: props.name,
    definitionBody: DefinitionBody.fromString(JSON.stringify(props.definition)),
    definitionSubstitutions: props.arns,
    stateMachineType: StateMachineType.STANDARD,
    role: props.role,
    tracingEnabled: true,
    logs: { level: LogLevel.ALL, includeExecutionData: false, destination: props.logGroup },
  })
}

/** The ARN of a state machine by its name. */
export function machineArn(name: string): string {
  return `arn:${Aws.PARTITION}:states:${Aws.REGION}:${Aws.ACCOUNT_ID}:stateMachine:${name}`
}
