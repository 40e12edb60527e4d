import { ArnFormat, Stack } from 'aws-cdk-lib'
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions'
import { Construct } from 'constructs'
import { planPrefix, roots, under } from 'dray/internal/staging/keys.ts'
import { pipelineKey, runKey } from 'dray/internal/state/keys.ts'
import { acknowledge, nameInFindings } from './acknowledge.ts'
import type { Resources } from './handler-permissions.ts'

export interface OperatorPoliciesProps extends Resources {
  readonly machines: readonly StateMachine[]
  /** The names of all databases. */
  readonly databaseNames: readonly string[]
}

/**
 * What people need who work on the environment with the command, to be attached to their roles: `operator` for the
 * verbs that let the environment do the work, `databases` besides it for those that connect to the databases themselves
 * (plan, preview, reconcile).
 */
export class OperatorPolicies extends Construct {
  readonly operator: ManagedPolicy
  readonly databases: ManagedPolicy
  readonly #props: OperatorPoliciesProps

  constructor(scope: Construct, id: string, props: OperatorPoliciesProps) {
    super(scope, id)
    this.#props = props
    const environment = Stack.of(this).stackName
    this.operator = new ManagedPolicy(this, 'Operator', {
      description: `dray --env: runs, their logs, state and quarantine of ${environment}`,
      statements: [
        this.#stack(),
        this.#machines(),
        this.#executions(),
        ...this.#state(),
        ...this.#quarantine(),
        this.#logs(),
      ],
    })
    this.databases = new ManagedPolicy(this, 'Databases', {
      description: `dray plan, preview and reconcile --env: the databases of ${environment}, besides the operator policy`,
      statements: [...props.databases.statements(props.databaseNames), ...this.#staging()],
    })
  }

  /** Where everything is. Asked for by name, before its id is known. */
  #stack(): PolicyStatement {
    const { stackName } = Stack.of(this)
    const resource = this.#arn('cloudformation', 'stack', `${stackName}/*`, ArnFormat.SLASH_RESOURCE_NAME)
    this.#accept(resource, 'The one stack, whose id nobody knows before it is asked for.')
    return this.#allow(['cloudformation:DescribeStacks', 'cloudformation:ListStackResources'], [resource])
  }

  #machines(): PolicyStatement {
    return this.#allow(
      ['states:StartExecution'],
      this.#props.machines.map(({ stateMachineArn }) => stateMachineArn),
    )
  }

  #executions(): PolicyStatement {
    const executions = this.#props.machines.map(({ stateMachineName }) =>
      this.#arn('states', 'execution', `${stateMachineName}:*`, ArnFormat.COLON_RESOURCE_NAME),
    )
    for (const execution of executions) this.#accept(execution, 'Runs are named when they start.')
    return this.#allow(['states:DescribeExecution', 'states:StopExecution'], executions)
  }

  #state(): PolicyStatement[] {
    const { tableArn } = this.#props.table
    const indexes = `${tableArn}/index/*`
    this.#accept(indexes, 'Both indexes of the state table.')
    return [
      this.#allow(['dynamodb:GetItem', 'dynamodb:Query'], [tableArn, indexes]),
      this.#onItems('dynamodb:UpdateItem', [pipelineKey('*').pk]),
    ]
  }

  /** Quarantined rows and what was decided of them, findings; the plans of runs, for the length of a bar. */
  #quarantine(): PolicyStatement[] {
    const { bucket, key } = this.#props
    const kept = [under(roots.quarantine), under(roots.quarantineLog)]
    const read = this.#objects([...kept, under(roots.findings), under(planPrefix('*', '*'))])
    return [
      this.#allow(['s3:GetObject'], read),
      new PolicyStatement({
        actions: ['s3:ListBucket'],
        resources: [bucket.bucketArn],
        conditions: { StringLike: { 's3:prefix': this.#listed() } },
      }),
      this.#allow(['s3:PutObject'], this.#objects([under(roots.quarantineLog)])),
      // What is closed is pruned.
      this.#allow(['s3:DeleteObject'], this.#objects(kept)),
      this.#allow(['kms:Decrypt', 'kms:GenerateDataKey'], [key.keyArn]),
    ]
  }

  /** A prefix is asked for with a slash at its end; what is read is asked for by its key, where it may be absent. */
  #listed(): string[] {
    return [roots.quarantine, roots.quarantineLog, roots.findings].map(under).concat(under(planPrefix('*', '*')))
  }

  #logs(): PolicyStatement {
    const groups = this.#arn('logs', 'log-group', `${Stack.of(this).stackName}-*`, ArnFormat.COLON_RESOURCE_NAME)
    this.#accept(groups, 'The log groups of the stack, which CloudFormation names after it.')
    this.#accept(`${groups}:*`, 'The log groups of the stack, which CloudFormation names after it.')
    return this.#allow(['logs:FilterLogEvents'], [groups, `${groups}:*`])
  }

  /** `dray reconcile --fix` loads rows again in the process of who runs it: a separate run. */
  #staging(): PolicyStatement[] {
    const { key } = this.#props
    const written = [roots.runs, roots.quarantine, roots.findings].map(under)
    return [
      this.#allow(['s3:GetObject'], this.#objects([under(roots.runs)])),
      this.#allow(['s3:PutObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'], this.#objects(written)),
      this.#onItems('dynamodb:PutItem', [runKey('*').pk]),
      this.#onItems('dynamodb:UpdateItem', [runKey('*').pk, pipelineKey('*').pk]),
      this.#allow(['kms:Decrypt', 'kms:GenerateDataKey'], [key.keyArn]),
    ]
  }

  #objects(patterns: readonly string[]): string[] {
    const arns = patterns.map((pattern) => this.#props.bucket.arnForObjects(pattern))
    for (const arn of arns) this.#accept(arn, 'The objects of all pipelines and runs, and no others.')
    return arns
  }

  #onItems(action: string, keys: readonly string[]): PolicyStatement {
    return new PolicyStatement({
      actions: [action],
      resources: [this.#props.table.tableArn],
      conditions: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [...keys] } },
    })
  }

  #allow(actions: string[], resources: string[]): PolicyStatement {
    return new PolicyStatement({ actions, resources })
  }

  #arn(service: string, resource: string, resourceName: string, arnFormat: ArnFormat): string {
    return Stack.of(this).formatArn({ service, resource, resourceName, arnFormat })
  }

  #accept(resource: string, reason: string): void {
    acknowledge(this, `AwsSolutions-IAM5[Resource::${nameInFindings(this, resource)}]`, reason)
  }
}
