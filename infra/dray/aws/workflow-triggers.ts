import { ArnFormat, Duration, Stack, TimeZone } from 'aws-cdk-lib'
import { type IEventBus, Match, Rule, Schedule as RuleSchedule, RuleTargetInput } from 'aws-cdk-lib/aws-events'
import { LambdaFunction, SqsQueue } from 'aws-cdk-lib/aws-events-targets'
import { Effect, type IRole, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations'
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { ContextAttribute, Schedule, ScheduleExpression, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler'
import { SqsSendMessage } from 'aws-cdk-lib/aws-scheduler-targets'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions'
import { Construct, type IConstruct } from 'constructs'
import { pipelineKey, runKey, slotKey } from 'dray/internal/state/keys.ts'
import { stateTable } from 'dray/internal/state/table-definition.ts'
import { toSchedulerExpression } from 'dray/internal/workflow/cron.ts'
import { unitsOf } from 'dray/internal/workflow/placeholders.ts'
import type { EventTrigger, Workflow } from 'dray/internal/workflow/workflow.ts'
import { acknowledge, nameInFindings } from './acknowledge.ts'
import { triggerHandlers } from './deployed-handlers.ts'
import { patternOf } from './names.ts'

export interface TriggerFunctionProps {
  readonly handler: string
  readonly timeoutSeconds: number
  readonly environment: Readonly<Record<string, string>>
}

export interface TriggerFunction {
  readonly function: IFunction
  /** Of this function alone. */
  readonly role: IRole
}

export interface WorkflowTriggersProps {
  readonly environment: { readonly name: string }
  readonly workflow: Workflow
  readonly machine: StateMachine
  readonly table: Table
  readonly bus: IEventBus
  readonly topic: ITopic
  /** Makes a function under the given scope. */
  readonly createFunction: (scope: Construct, id: string, props: TriggerFunctionProps) => TriggerFunction
}

/** The state table, as stacks know it that have not made it. */
export interface Table {
  readonly tableName: string
  readonly tableArn: string
}

/** A batch of events waits so long for its last one. */
const batchingWindow = Duration.seconds(30)
const TIMEOUT_SECONDS = 60
const sweepEvery = Duration.minutes(5)

/**
 * What starts a workflow and what follows its end: schedules and events meet in a queue, from which `start` makes one
 * run; `janitor` cleans up after each execution and starts the run that waited. What fails for good is in
 * `deadLetters`.
 */
export class WorkflowTriggers extends Construct {
  readonly deadLetters: Queue
  readonly #requests: Queue
  readonly #props: WorkflowTriggersProps

  constructor(scope: Construct, id: string, props: WorkflowTriggersProps) {
    super(scope, id)
    this.#props = props
    this.deadLetters = deadLetterQueue(this, 'LostStarts')
    this.#requests = new Queue(this, 'Requests', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
      // As Lambda asks for: six times what one call may take, and the window.
      visibilityTimeout: Duration.seconds(6 * TIMEOUT_SECONDS + batchingWindow.toSeconds()),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: 5 },
    })
    this.#createStart()
    this.#createJanitor()
    const { workflow } = props
    workflow.schedules.forEach((schedule, index) => {
      this.#startAt(`Schedule${index}`, toSchedulerExpression(schedule), schedule.timezone)
    })
    workflow.events.forEach((event, index) => {
      this.#startOn(`Event${index}`, event)
    })
  }

  get #variables(): Record<string, string> {
    const { workflow, machine, table } = this.#props
    return {
      WORKFLOW_NAME: workflow.name,
      STATE_MACHINE_ARN: machine.stateMachineArn,
      STATE_TABLE_NAME: table.tableName,
      ...(workflow.minInterval === 0 ? {} : { WORKFLOW_MIN_INTERVAL: String(workflow.minInterval) }),
      ...(workflow.owner ? { WORKFLOW_OWNER: workflow.owner } : {}),
    }
  }

  #createStart(): void {
    const { function: start, role } = this.#props.createFunction(this, 'Start', {
      handler: triggerHandlers.start,
      timeoutSeconds: TIMEOUT_SECONDS,
      environment: { ...this.#variables, DEAD_LETTERS_URL: this.deadLetters.queueUrl },
    })
    role.addToPrincipalPolicy(this.#onItems(['dynamodb:GetItem'], [pipelineKey('*').pk, runKey('*').pk]))
    role.addToPrincipalPolicy(this.#onItems(['dynamodb:GetItem', 'dynamodb:PutItem'], [this.#slot]))
    role.addToPrincipalPolicy(this.#onMachine())
    role.addToPrincipalPolicy(
      new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [this.deadLetters.queueArn] }),
    )
    role.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'],
        resources: [this.#requests.queueArn],
      }),
    )
    start.addEventSource(
      new SqsEventSource(this.#requests, {
        batchSize: 1000,
        maxBatchingWindow: batchingWindow,
        maxConcurrency: 2,
        reportBatchItemFailures: true,
      }),
    )
  }

  #createJanitor(): void {
    const { workflow, machine, topic, table } = this.#props
    const { function: janitor, role } = this.#props.createFunction(this, 'Janitor', {
      handler: triggerHandlers.janitor,
      timeoutSeconds: TIMEOUT_SECONDS,
      environment: { ...this.#variables, NOTIFICATION_TOPIC_ARN: topic.topicArn },
    })
    const write = ['dynamodb:GetItem', 'dynamodb:PutItem']
    role.addToPrincipalPolicy(this.#onItems(write, [runKey('*').pk, this.#slot]))
    role.addToPrincipalPolicy(this.#onItems(['dynamodb:UpdateItem', 'dynamodb:Query'], [runKey('*').pk]))
    role.addToPrincipalPolicy(this.#onItems(['dynamodb:GetItem', 'dynamodb:UpdateItem'], [pipelineKey('*').pk]))
    role.addToPrincipalPolicy(withoutLastRun(table))
    role.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ['dynamodb:Query'],
        resources: [`${table.tableArn}/index/${stateTable.byWorkflow.name}`],
        conditions: { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': [workflow.name] } },
      }),
    )
    role.addToPrincipalPolicy(this.#onMachine())
    role.addToPrincipalPolicy(this.#onExecutions(role))
    role.addToPrincipalPolicy(this.#onPipelines(role))
    if (unitsOf(workflow).some(({ kind }) => kind === 'replica')) {
      for (const statement of tablesOfReplicas(role, this.#props)) role.addToPrincipalPolicy(statement)
      role.addToPrincipalPolicy(this.#onMachines(role))
    }
    role.addToPrincipalPolicy(new PolicyStatement({ actions: ['sns:Publish'], resources: [topic.topicArn] }))
    keepFailures(janitor, role, this.deadLetters)
    const target = { deadLetterQueue: this.deadLetters, maxEventAge: Duration.hours(1), retryAttempts: 20 }
    new Rule(this, 'Ended', {
      description: `Executions of ${workflow.name} that have ended`,
      eventPattern: {
        source: ['aws.states'],
        detailType: ['Step Functions Execution Status Change'],
        detail: {
          status: ['SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED'],
          stateMachineArn: [machine.stateMachineArn],
        },
      },
      targets: [new LambdaFunction(janitor, target)],
    })
    new Rule(this, 'Sweep', {
      description: `Watches ${workflow.name}, and finds runs whose end nobody told`,
      schedule: RuleSchedule.rate(sweepEvery),
      targets: [
        new LambdaFunction(janitor, {
          event: RuleTargetInput.fromObject({ sweep: true }),
          maxEventAge: sweepEvery,
          retryAttempts: 1,
        }),
      ],
    })
  }

  get #slot(): string {
    return slotKey(this.#props.workflow.name).pk
  }

  #onItems(actions: string[], keys: readonly string[]): PolicyStatement {
    const conditions = { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [...keys] } }
    return new PolicyStatement({ actions, resources: [this.#props.table.tableArn], conditions })
  }

  #onMachine(): PolicyStatement {
    return new PolicyStatement({
      // Its definition names the pipelines of the workflow, more than a function's variables would hold.
      actions: ['states:StartExecution', 'states:DescribeStateMachine'],
      resources: [this.#props.machine.stateMachineArn],
    })
  }

  #onExecutions(role: IConstruct): PolicyStatement {
    const executions = Stack.of(this).formatArn({
      service: 'states',
      resource: 'execution',
      resourceName: `${this.#props.machine.stateMachineName}:*`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    })
    acknowledge(
      role,
      `AwsSolutions-IAM5[Resource::${nameInFindings(this, executions)}]`,
      'Runs are named when they start.',
    )
    const actions = ['states:DescribeExecution', 'states:DescribeStateMachineForExecution']
    return new PolicyStatement({ actions, resources: [executions] })
  }

  /** What a run that was stopped has started goes on, unless it is stopped, too. */
  #onPipelines(role: IConstruct): PolicyStatement {
    const executions = Stack.of(this).formatArn({
      service: 'states',
      resource: 'execution',
      resourceName: `${patternOf(this.#props.environment.name)}:*`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    })
    acknowledge(
      role,
      `AwsSolutions-IAM5[Resource::${nameInFindings(this, executions)}]`,
      'The executions of pipelines bear the names of runs.',
    )
    // Those that a person has started of a pipeline alone are asked whether they are over.
    const actions = ['states:DescribeExecution', 'states:StopExecution']
    return new PolicyStatement({ actions, resources: [executions] })
  }

  /** That of a replica names the one of its tables, of which a person may have started an execution. */
  #onMachines(role: IConstruct): PolicyStatement {
    const machines = Stack.of(this).formatArn({
      service: 'states',
      resource: 'stateMachine',
      resourceName: patternOf(this.#props.environment.name),
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    })
    acknowledge(
      role,
      `AwsSolutions-IAM5[Resource::${nameInFindings(this, machines)}]`,
      'The state machines of replicas.',
    )
    return new PolicyStatement({ actions: ['states:DescribeStateMachine'], resources: [machines] })
  }

  #startAt(id: string, expression: string, timezone: string): void {
    new Schedule(this, id, {
      schedule: ScheduleExpression.expression(expression, TimeZone.of(timezone)),
      target: new SqsSendMessage(this.#requests, {
        input: ScheduleTargetInput.fromObject({ trigger: 'schedule', id: ContextAttribute.scheduledTime }),
        maxEventAge: Duration.hours(1),
        retryAttempts: 20,
        deadLetterQueue: this.deadLetters,
      }),
    })
  }

  /** An event that names an environment is for that one; on one bus there may be several. */
  #startOn(id: string, event: EventTrigger): void {
    new Rule(this, id, {
      eventBus: this.#props.bus,
      eventPattern: {
        source: [event.source],
        detailType: [event.detailType],
        detail: { environment: Match.anyOf(this.#props.environment.name, Match.doesNotExist()) },
      },
      targets: [
        new SqsQueue(this.#requests, {
          maxEventAge: Duration.hours(1),
          retryAttempts: 20,
          deadLetterQueue: this.deadLetters,
        }),
      ],
    })
  }
}

/** Failed messages, for two weeks. */
export function deadLetterQueue(scope: Construct, id: string): Queue {
  const retentionPeriod = Duration.days(14)
  return new Queue(scope, id, { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true, retentionPeriod })
}

/**
 * What a function that is called asynchronously has failed of three times, within an hour, goes to a queue: EventBridge
 * has delivered it then, and its own dead letters are of what it cannot deliver.
 */
export function keepFailures(called: IFunction, role: IRole, queue: Queue): void {
  role.addToPrincipalPolicy(new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [queue.queueArn] }))
  called.configureAsyncInvoke({
    onFailure: new SqsDestination(queue),
    maxEventAge: Duration.hours(1),
    retryAttempts: 2,
  })
}

/** Leases may be given back by others than plan and commit; `last_run` may not be moved. */
export function withoutLastRun(table: Pick<Table, 'tableArn'>): PolicyStatement {
  return new PolicyStatement({
    effect: Effect.DENY,
    actions: ['dynamodb:PutItem', 'dynamodb:UpdateItem'],
    resources: [table.tableArn],
    conditions: { 'ForAnyValue:StringEquals': { 'dynamodb:Attributes': ['last_run'] } },
  })
}

/**
 * What those need who end runs of replicas: which tables a run holds is in no definition, and an execution of a replica
 * works by the one that names the machine of its tables.
 */
export function tablesOfReplicas(
  role: IConstruct,
  { table, environment }: { readonly table: Table; readonly environment: { readonly name: string } },
): readonly PolicyStatement[] {
  const executions = Stack.of(role).formatArn({
    service: 'states',
    resource: 'execution',
    resourceName: `${patternOf(environment.name)}:*`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  })
  const rule = `AwsSolutions-IAM5[Resource::${nameInFindings(role, executions)}]`
  acknowledge(role, rule, 'The executions of replicas and of their tables bear the names of runs.')
  return [
    new PolicyStatement({
      actions: ['dynamodb:Query'],
      resources: [`${table.tableArn}/index/${stateTable.byKind.name}`],
      conditions: { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': ['pipeline'] } },
    }),
    new PolicyStatement({
      actions: ['states:DescribeStateMachineForExecution', 'states:StopExecution'],
      resources: [executions],
    }),
  ]
}
