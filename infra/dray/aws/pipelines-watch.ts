import { ArnFormat, Duration, Stack } from 'aws-cdk-lib'
import { Match, Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { LambdaSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { pipelineKey, runKey } from 'dray/internal/state/keys.ts'
import type { Environment } from '#dray-infra/project/environment.ts'
import { acknowledge, nameInFindings } from './acknowledge.ts'
import { triggerHandlers } from './deployed-handlers.ts'
import { PIPELINE_ENDING, patternOf } from './names.ts'
import { pascalCase } from './pascal-case.ts'
import { readingSecret, secretNamed } from './reading-secret.ts'
import { WHILE_NOBODY_LOOKS, watch } from './workflow-alarms.ts'
import {
  deadLetterQueue,
  keepFailures,
  type Table,
  type TriggerFunction,
  type TriggerFunctionProps,
  tablesOfReplicas,
  withoutLastRun,
} from './workflow-triggers.ts'

export interface PipelinesWatchProps {
  readonly environment: Pick<Environment, 'name' | 'notify'>
  readonly table: Table
  readonly topic: ITopic
  /** Whether a workflow runs a replica. */
  readonly hasReplicas: boolean
  readonly createFunction: (
    scope: Construct,
    name: 'pipeline-janitor' | 'versions' | 'notify-slack' | 'notify-webhook',
    props: TriggerFunctionProps & { readonly id: string },
  ) => TriggerFunction
}

type Variables = Readonly<Record<string, string>>

interface NamedSecret {
  readonly secret?: string | undefined
  readonly encryptionKey?: string | undefined
}

/**
 * Looks after pipelines that a person has started, deletes code that no state machine runs any more, and sends what the
 * topic says to Slack and a webhook. What these functions have failed of is in `deadLetters`.
 */
export class PipelinesWatch extends Construct {
  readonly #props: PipelinesWatchProps
  readonly #deadLetters: Queue

  constructor(scope: Construct, id: string, props: PipelinesWatchProps) {
    super(scope, id)
    this.#props = props
    this.#deadLetters = deadLetterQueue(this, 'LostEnds')
    acknowledge(this.#deadLetters, 'AwsSolutions-SQS3', 'It holds dead letters itself: of functions and of rules.')
    watch(this, 'LostEndsAlarm', lostEnds(props.environment.name, this.#deadLetters), props.topic)
    this.#createJanitor()
    this.#createVersions()
    const { slack, webhook } = props.environment.notify
    if (slack) this.#createNotifier('slack', slack, {})
    if (webhook) this.#createNotifier('webhook', webhook, { NOTIFY_URL: webhook.url, NOTIFY_SIGN: webhook.sign })
  }

  /** An execution that a workflow has started is ended by that workflow's own janitor. */
  #createJanitor(): void {
    const { table, createFunction, environment, hasReplicas } = this.#props
    const pattern = `${patternOf(environment.name)}${PIPELINE_ENDING}`
    const { function: janitor, role } = createFunction(this, 'pipeline-janitor', {
      id: 'Janitor',
      handler: triggerHandlers.pipelineJanitor,
      timeoutSeconds: 60,
      environment: { STATE_TABLE_NAME: table.tableName },
    })
    const onItems = (actions: string[], key: string) =>
      new PolicyStatement({
        actions: actions.map((action) => `dynamodb:${action}`),
        resources: [table.tableArn],
        conditions: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [key] } },
      })
    role.addToPrincipalPolicy(onItems(['GetItem', 'PutItem', 'UpdateItem', 'Query'], runKey('*').pk))
    role.addToPrincipalPolicy(onItems(['GetItem', 'UpdateItem'], pipelineKey('*').pk))
    role.addToPrincipalPolicy(withoutLastRun(table))
    if (hasReplicas) {
      for (const statement of tablesOfReplicas(role, this.#props)) role.addToPrincipalPolicy(statement)
    }
    keepFailures(janitor, role, this.#deadLetters)
    new Rule(this, 'Ended', {
      description: 'Executions of pipelines that have not come to their last state',
      eventPattern: {
        source: ['aws.states'],
        detailType: ['Step Functions Execution Status Change'],
        detail: {
          status: ['FAILED', 'TIMED_OUT', 'ABORTED'],
          // Those of workflows have their own janitors.
          stateMachineArn: Match.wildcard(this.#arn('states', 'stateMachine', pattern)),
        },
      },
      targets: [
        new LambdaFunction(janitor, {
          deadLetterQueue: this.#deadLetters,
          maxEventAge: Duration.hours(1),
          retryAttempts: 20,
        }),
      ],
    })
  }

  #createVersions(): void {
    const { createFunction, environment } = this.#props
    const pattern = patternOf(environment.name)
    const { function: versions, role } = createFunction(this, 'versions', {
      id: 'Versions',
      handler: triggerHandlers.versions,
      timeoutSeconds: 900,
      environment: { NAMES_BEGIN_WITH: pattern.replace(/\*$/, '') },
    })
    const [machines, executions, functions] = [
      this.#arn('states', 'stateMachine', pattern),
      this.#arn('states', 'execution', `${pattern}:*`),
      this.#arn('lambda', 'function', pattern),
    ] as const
    for (const statement of [
      // Which there are can only be asked of all.
      new PolicyStatement({ actions: ['states:ListStateMachines'], resources: ['*'] }),
      new PolicyStatement({ actions: ['states:DescribeStateMachine', 'states:ListExecutions'], resources: [machines] }),
      new PolicyStatement({ actions: ['states:DescribeStateMachineForExecution'], resources: [executions] }),
      new PolicyStatement({ actions: ['lambda:ListVersionsByFunction'], resources: [functions] }),
      // With a version's number: no function as a whole.
      new PolicyStatement({ actions: ['lambda:DeleteFunction'], resources: [`${functions}:*`] }),
    ]) {
      role.addToPrincipalPolicy(statement)
    }
    keepFailures(versions, role, this.#deadLetters)
    for (const resource of [machines, executions, functions, `${functions}:*`]) {
      const rule = `AwsSolutions-IAM5[Resource::${nameInFindings(this, resource)}]`
      acknowledge(role, rule, 'What the environment has, by its names, and nothing else.')
    }
    new Rule(this, 'Daily', {
      description: 'Deletes versions of functions that no state machine and no running execution names',
      schedule: Schedule.rate(Duration.days(1)),
      targets: [new LambdaFunction(versions, { event: RuleTargetInput.fromObject({}), retryAttempts: 2 })],
    })
  }

  /** One function a receiver: each reads its secret alone, and is called again for its own failures alone. */
  #createNotifier(by: 'slack' | 'webhook', { secret: name, encryptionKey }: NamedSecret, variables: Variables): void {
    const { topic, createFunction } = this.#props
    const id = pascalCase(`notify-${by}`)
    const named = name === undefined ? null : secretNamed(this, `${id}Secret`, name)
    const { function: notify, role } = createFunction(this, `notify-${by}`, {
      id,
      handler: triggerHandlers.notify,
      timeoutSeconds: 60,
      environment: {
        NOTIFY_BY: by,
        ...variables,
        ...(named === null ? {} : { NOTIFY_SECRET_ARN: named.secret.secretArn }),
      },
    })
    if (named !== null) {
      for (const statement of readingSecret(role, named.granted, encryptionKey)) role.addToPrincipalPolicy(statement)
    }
    keepFailures(notify, role, this.#deadLetters)
    topic.addSubscription(new LambdaSubscription(notify))
  }

  #arn(service: string, resource: string, resourceName: string): string {
    const arnFormat = ArnFormat.COLON_RESOURCE_NAME
    return Stack.of(this).formatArn({ service, resource, resourceName, arnFormat })
  }
}

function lostEnds(environment: string, deadLetters: Queue) {
  return {
    of: environment,
    runbook: 'Lost ends',
    says: 'the end of a pipeline that a person has started, the daily deletion of unused versions, or a message to Slack or a webhook, could not be handled and is in the dead letters.',
    metric: deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum' }),
    above: 0,
    missing: WHILE_NOBODY_LOOKS,
  }
}
