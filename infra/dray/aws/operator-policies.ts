import { ArnFormat, Aws, Stack } from 'aws-cdk-lib'
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import { planPrefix, roots, under } from 'dray/internal/staging/keys.ts'
import { pipelineKey, runKey } from 'dray/internal/state/keys.ts'
import { acknowledge, nameInFindings } from './acknowledge.ts'
import type { Resources } from './handler-permissions.ts'
import { logGroupOf, patternOf, roleNameOf, schemaFunctionName } from './names.ts'

export interface OperatorPoliciesProps extends Resources {
  /** Its name. */
  readonly environment: string
  /** The names of all databases. */
  readonly databaseNames: readonly string[]
}

/**
 * What people need who work on the environment with the command, to be attached to their roles: `operator` for the
 * verbs that let the environment do the work, `databases` besides it for those that connect to the databases themselves
 * (plan, preview, reconcile), or change their tables (schema).
 */
export class OperatorPolicies extends Construct {
  readonly operator: ManagedPolicy
  readonly databases: ManagedPolicy
  readonly #props: OperatorPoliciesProps

  constructor(scope: Construct, id: string, props: OperatorPoliciesProps) {
    super(scope, id)
    this.#props = props
    const environment = Stack.of(this).stackName
    // What is attached can be changed, but neither replaced nor deleted: a name and a description of it stay for good.
    this.operator = new ManagedPolicy(this, 'Operator', {
      managedPolicyName: roleNameOf(props.environment, 'operator', Aws.REGION),
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
      managedPolicyName: roleNameOf(props.environment, 'databases', Aws.REGION),
      description: `dray plan, preview and reconcile --env: the databases of ${environment}, besides the operator policy`,
      statements: [...props.databases.statements(props.databaseNames), ...this.#staging(), this.#schema()],
    })
  }

  /** Where everything is. Asked for by name, before its id is known. */
  #stack(): PolicyStatement {
    const { stackName } = Stack.of(this)
    const resource = this.#arn('cloudformation', 'stack', `${stackName}/*`, ArnFormat.SLASH_RESOURCE_NAME)
    this.#accept(resource, 'The one stack, whose id nobody knows before it is asked for.')
    return this.#allow(['cloudformation:DescribeStacks'], [resource])
  }

  /** Of workflows; those of pipelines may be started by hand. */
  #machines(): PolicyStatement {
    const machines = this.#arn('states', 'stateMachine', this.#names, ArnFormat.COLON_RESOURCE_NAME)
    this.#accept(machines, 'The state machines of the environment, and no others.')
    return this.#allow(['states:StartExecution'], [machines])
  }

  /** Stopping a run is stopping those of its pipelines, which its definition names. */
  #executions(): PolicyStatement {
    const executions = this.#arn('states', 'execution', `${this.#names}:*`, ArnFormat.COLON_RESOURCE_NAME)
    this.#accept(executions, 'Runs are named when they start.')
    const actions = ['states:DescribeExecution', 'states:DescribeStateMachineForExecution', 'states:StopExecution']
    return this.#allow(actions, [executions])
  }

  #state(): PolicyStatement[] {
    const { tableArn } = this.#props.table
    const indexes = `${tableArn}/index/*`
    this.#accept(indexes, 'Both indexes of the state table.')
    return [
      this.#allow(['dynamodb:GetItem'], [tableArn]),
      this.#allow(['dynamodb:Query'], [tableArn, indexes]),
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
    const { environment } = this.#props
    const groups = [`/dray/${environment}/*`, logGroupOf.machines(environment)].flatMap((name) => {
      const group = this.#arn('logs', 'log-group', name, ArnFormat.COLON_RESOURCE_NAME)
      return [group, `${group}:*`]
    })
    for (const group of groups) this.#accept(group, 'The log groups of the environment, and no others.')
    return this.#allow(['logs:FilterLogEvents'], groups)
  }

  get #names(): string {
    return patternOf(this.#props.environment)
  }

  /** `dray reconcile --fix` loads rows again in the process of who runs it: a separate run. */
  #staging(): PolicyStatement[] {
    const { bucket, key } = this.#props
    const written = [roots.runs, roots.quarantine, roots.findings].map(under)
    return [
      this.#allow(['s3:GetObject'], this.#objects([under(roots.runs)])),
      new PolicyStatement({
        actions: ['s3:ListBucket'],
        resources: [bucket.bucketArn],
        conditions: { StringLike: { 's3:prefix': [under(roots.runs)] } },
      }),
      this.#allow(['s3:PutObject', 's3:AbortMultipartUpload'], this.#objects(written)),
      this.#onItems('dynamodb:PutItem', [runKey('*').pk]),
      this.#onItems('dynamodb:UpdateItem', [runKey('*').pk, pipelineKey('*').pk]),
      this.#allow(['kms:Decrypt', 'kms:GenerateDataKey'], [key.keyArn]),
    ]
  }

  /** `dray schema`: the function that looks at tables, and changes them. */
  #schema(): PolicyStatement {
    const name = schemaFunctionName(this.#props.environment)
    const called = this.#arn('lambda', 'function', name, ArnFormat.COLON_RESOURCE_NAME)
    return this.#allow(['lambda:InvokeFunction'], [called])
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
