import { Duration } from 'aws-cdk-lib'
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions'
import { Construct } from 'constructs'
import type { Environment } from '#dray-infra/project/environment.ts'
import { metricsNamespace } from './handler-variables.ts'

export interface WorkflowAlarmsProps {
  /** Its name. */
  readonly workflow: string
  readonly environment: Environment
  readonly machine: StateMachine
  readonly deadLetters: Queue
  readonly topic: ITopic
}

export interface Watched {
  /** What it is of: a workflow in an environment, or an environment. */
  readonly of: string
  /** The title of its entry in docs/operations.md. */
  readonly runbook: string
  readonly says: string
  readonly metric: IMetric
  readonly above: number
  /** Periods in a row. */
  readonly periods?: number
  readonly missing?: TreatMissingData
}

/** A workflow's alarms; each says what has happened and where the runbook goes on. */
export class WorkflowAlarms extends Construct {
  readonly all: readonly Alarm[]

  constructor(scope: Construct, id: string, props: WorkflowAlarmsProps) {
    super(scope, id)
    const of = `${props.workflow} in ${props.environment.name}`
    const watched = Object.entries(watchedBy(props))
    this.all = watched.map(([name, one]) => watch(this, name, { of, ...one }, props.topic))
  }
}

/** An alarm that tells a topic when it begins and when it is over. */
export function watch(scope: Construct, id: string, watched: Watched, topic: ITopic): Alarm {
  const alarm = new Alarm(scope, id, {
    alarmDescription: `${watched.of}: ${watched.says} What to do: docs/operations.md, "${watched.runbook}".`,
    metric: watched.metric,
    threshold: watched.above,
    comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
    evaluationPeriods: watched.periods ?? 1,
    treatMissingData: watched.missing ?? TreatMissingData.NOT_BREACHING,
  })
  const action = new SnsAction(topic)
  alarm.addAlarmAction(action)
  alarm.addOkAction(action)
  return alarm
}

/**
 * A queue that nobody writes to or reads has no metrics after six hours, with messages in it or not: the alarm stays as
 * it is. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/monitoring-using-cloudwatch.html
 */
export const WHILE_NOBODY_LOOKS = TreatMissingData.IGNORE

function watchedBy(props: WorkflowAlarmsProps): Record<string, Omit<Watched, 'of'>> {
  const { workflow, environment, machine, deadLetters } = props
  const { successWithin, freshness = successWithin } = environment.expected[workflow] ?? { successWithin: 86_400 }
  return {
    NoSuccess: {
      runbook: 'No success in time',
      says: `no run has succeeded for more than ${hours(successWithin)}, or the janitor that watches has stopped.`,
      metric: metricOf(props, 'SecondsSinceSuccess', 'Maximum', Duration.minutes(15)),
      above: successWithin,
      periods: 2,
      missing: TreatMissingData.BREACHING,
    },
    Late: {
      runbook: 'Data is late',
      says: `rows that changed in a source more than ${hours(freshness)} ago are not in the warehouse.`,
      metric: metricOf(props, 'FreshnessSeconds', 'Maximum', Duration.minutes(15)),
      above: freshness,
      periods: 2,
    },
    Failed: {
      runbook: 'A run failed',
      says: 'an execution failed, timed out or was aborted.',
      metric: new MathExpression({
        label: 'Executions that did not succeed',
        // Where one of them has no data, so has a sum.
        expression: 'FILL(failed, 0) + FILL(timedOut, 0) + FILL(aborted, 0)',
        usingMetrics: {
          failed: machine.metricFailed(),
          timedOut: machine.metricTimedOut(),
          aborted: machine.metricAborted(),
        },
        period: Duration.minutes(5),
      }),
      above: 0,
    },
    LostStarts: {
      runbook: 'Lost starts',
      says: 'an event, a tick of the schedule or the end of a run could not be handled and is in the dead letters.',
      metric: deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum' }),
      above: 0,
      missing: WHILE_NOBODY_LOOKS,
    },
    Fenced: {
      runbook: 'A fenced writer',
      says: 'a run that had been overtaken by a newer one went on writing, and was refused.',
      metric: metricOf(props, 'Fenced', 'Sum', Duration.minutes(5)),
      above: 0,
    },
  }
}

/** A metric that functions emit, over the whole workflow. */
export function metricOf(
  { workflow, environment }: Pick<WorkflowAlarmsProps, 'workflow' | 'environment'>,
  metricName: string,
  statistic: 'Sum' | 'Maximum',
  period: Duration,
): Metric {
  return new Metric({
    namespace: metricsNamespace(environment),
    metricName,
    dimensionsMap: { workflow },
    statistic,
    period,
  })
}

function hours(seconds: number): string {
  return seconds < 7200 ? `${Math.round(seconds / 60)} minutes` : `${Math.round(seconds / 3600)} hours`
}
