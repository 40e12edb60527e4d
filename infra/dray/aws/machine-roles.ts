import { ArnFormat, Aws, Stack } from 'aws-cdk-lib'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { Bucket } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { itemsPrefix, under } from 'dray/internal/staging/keys.ts'
import { acknowledge, nameInFindings } from './acknowledge.ts'
import { patternOf, roleNameOf } from './names.ts'

export interface MachineRolesProps {
  readonly environment: { readonly name: string }
  readonly bucket: Bucket
  readonly key: IKey
  /** Whether there are replicas, whose machines start those of their tables and wait for them. */
  readonly hasReplicas: boolean
}

/** The rule by which Step Functions learns that an execution has ended which another one waits for. */
const NESTED_RULE = 'StepFunctionsGetEventsForStepFunctionsExecutionRule'

/** The names of the two roles. */
export const machineRoles = { pipelines: 'pipelines', workflows: 'workflows' } as const

/** What the state machines of pipelines may do, and those of workflows, which start them. */
export class MachineRoles extends Construct {
  readonly #props: MachineRolesProps

  constructor(scope: Construct, id: string, props: MachineRolesProps) {
    super(scope, id)
    this.#props = props
    const nesting = props.hasReplicas ? [this.#nesting()] : []
    const ofPipelines = [...this.#starting(), ...nesting, ...this.#distribution()]
    this.#createRole('Pipelines', machineRoles.pipelines, ofPipelines)
    this.#createRole('Workflows', machineRoles.workflows, [...this.#starting(), this.#nesting()])
  }

  #createRole(id: string, name: string, statements: readonly PolicyStatement[]): void {
    const role = new Role(this, id, {
      roleName: roleNameOf(this.#props.environment.name, name, Aws.REGION),
      assumedBy: new ServicePrincipal('states.amazonaws.com'),
    })
    for (const statement of [...statements, tracing(), deliveringLogs()]) role.addToPrincipalPolicy(statement)
    for (const resource of statements.flatMap(({ resources }) => resources)) {
      const rule = `AwsSolutions-IAM5[Resource::${nameInFindings(role, resource)}]`
      acknowledge(role, rule, 'What the environment has, by its names, and lists of partitions of all runs.')
    }
    acknowledge(role, 'AwsSolutions-IAM5[Resource::*]', 'X-Ray and the delivery of logs know no narrower resource.')
  }

  /** The functions of the environment, and its machines: workflows start pipelines, a Distributed Map itself. */
  #starting(): PolicyStatement[] {
    const pattern = patternOf(this.#props.environment.name)
    const executions = [this.#arn('states', 'execution', `${pattern}:*`)]
    return [
      new PolicyStatement({
        actions: ['lambda:InvokeFunction'],
        resources: [this.#arn('lambda', 'function', pattern)],
      }),
      new PolicyStatement({
        actions: ['states:StartExecution'],
        resources: [this.#arn('states', 'stateMachine', pattern)],
      }),
      new PolicyStatement({ actions: ['states:DescribeExecution', 'states:StopExecution'], resources: executions }),
    ]
  }

  #distribution(): PolicyStatement[] {
    const { bucket, key } = this.#props
    const lists = bucket.arnForObjects(under(itemsPrefix('*', '*')))
    return [
      new PolicyStatement({ actions: ['s3:GetObject'], resources: [lists] }),
      new PolicyStatement({ actions: ['kms:Decrypt'], resources: [key.keyArn] }),
    ]
  }

  /** https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html */
  #nesting(): PolicyStatement {
    return new PolicyStatement({
      actions: ['events:PutTargets', 'events:PutRule', 'events:DescribeRule'],
      resources: [this.#arn('events', 'rule', NESTED_RULE, ArnFormat.SLASH_RESOURCE_NAME)],
    })
  }

  #arn(service: string, resource: string, resourceName: string, arnFormat = ArnFormat.COLON_RESOURCE_NAME): string {
    return Stack.of(this).formatArn({ service, resource, resourceName, arnFormat })
  }
}

function tracing(): PolicyStatement {
  const actions = [
    'xray:PutTraceSegments',
    'xray:PutTelemetryRecords',
    'xray:GetSamplingRules',
    'xray:GetSamplingTargets',
  ]
  return new PolicyStatement({ actions, resources: ['*'] })
}

/** https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html */
function deliveringLogs(): PolicyStatement {
  const actions = [
    'logs:CreateLogDelivery',
    'logs:GetLogDelivery',
    'logs:UpdateLogDelivery',
    'logs:DeleteLogDelivery',
    'logs:ListLogDeliveries',
    'logs:PutResourcePolicy',
    'logs:DescribeResourcePolicies',
    'logs:DescribeLogGroups',
  ]
  return new PolicyStatement({ actions, resources: ['*'] })
}
