import { ArnFormat, Duration, Stack } from 'aws-cdk-lib'
import { Match, Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { pipelineKey, runKey } from 'dray/internal/state/keys.ts'
import { acknowledge, nameInFindings } from './acknowledge.ts'
import { triggerHandlers } from './deployed-handlers.ts'
import { PIPELINE_ENDING, patternOf } from './names.ts'
import { WHILE_NOBODY_LOOKS, watch } from './workflow-alarms.ts'
import {
  deadLetterQueue,
  keepFailures,
  type Table,
  type TriggerFunction,
  type TriggerFunctionProps,
  withoutLastRun,
} from './workflow-triggers.ts'

export interface PipelinesWatchProps {
  readonly environment: { readonly name: string }
  readonly table: Table
  readonly topic: ITopic
  readonly createFunction: (
    scope: Construct,
    name: 'pipeline-janitor' | 'versions',
    props: TriggerFunctionProps & { readonly id: string },
  ) => TriggerFunction
}

/**
 * Looks after pipelines that a person has started, and deletes code that no state machine runs any more. What these two
 * functions have failed of is in `deadLetters`.
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
  }

  /** An execution that a workflow has started is ended by that workflow's own janitor. */
  #createJanitor(): void {
    const { table, createFunction, environment } = this.#props
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

  #arn(service: string, resource: string, resourceName: string): string {
    const arnFormat = ArnFormat.COLON_RESOURCE_NAME
    return Stack.of(this).formatArn({ service, resource, resourceName, arnFormat })
  }
}

function lostEnds(environment: string, deadLetters: Queue) {
  return {
    of: environment,
    runbook: 'Lost ends',
    says: 'the end of a pipeline that a person has started, or the daily deletion of unused versions, could not be handled and is in the dead letters.',
    metric: deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum' }),
    above: 0,
    missing: WHILE_NOBODY_LOOKS,
  }
}
