import { Duration, TimeZone } from 'aws-cdk-lib'
import { Rule, RuleTargetInput } from 'aws-cdk-lib/aws-events'
import { SfnStateMachine } from 'aws-cdk-lib/aws-events-targets'
import { Schedule, ScheduleExpression, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler'
import { StepFunctionsStartExecution } from 'aws-cdk-lib/aws-scheduler-targets'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions'
import { Construct } from 'constructs'
import { type EventTrigger, toSchedulerExpression, type Workflow } from '#shared/workflow/index.ts'

export interface WorkflowTriggersProps {
  readonly workflow: Workflow
  readonly machine: StateMachine
}

/** Starts the workflow by the clock and on events; a start that fails for an hour is kept in a queue. */
export class WorkflowTriggers extends Construct {
  readonly #machine: StateMachine
  readonly #lostStarts: Queue

  constructor(scope: Construct, id: string, { workflow, machine }: WorkflowTriggersProps) {
    super(scope, id)
    this.#machine = machine
    this.#lostStarts = new Queue(this, 'LostStarts', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    })
    workflow.schedules.forEach((schedule, index) => {
      this.#startAt(`Schedule${index}`, toSchedulerExpression(schedule), schedule.timezone)
    })
    workflow.events.forEach((event, index) => {
      this.#startOn(`Event${index}`, event)
    })
  }

  #startAt(id: string, expression: string, timezone: string): void {
    new Schedule(this, id, {
      schedule: ScheduleExpression.expression(expression, TimeZone.of(timezone)),
      target: new StepFunctionsStartExecution(this.#machine, {
        input: ScheduleTargetInput.fromObject({ trigger: 'schedule' }),
        maxEventAge: Duration.hours(1),
        retryAttempts: 20,
        deadLetterQueue: this.#lostStarts,
      }),
    })
  }

  #startOn(id: string, event: EventTrigger): void {
    new Rule(this, id, {
      eventPattern: { source: [event.source], detailType: [event.detailType] },
      targets: [
        new SfnStateMachine(this.#machine, {
          input: RuleTargetInput.fromObject({ trigger: `event:${event.detailType}` }),
          maxEventAge: Duration.hours(1),
          retryAttempts: 20,
          deadLetterQueue: this.#lostStarts,
        }),
      ],
    })
  }
}
