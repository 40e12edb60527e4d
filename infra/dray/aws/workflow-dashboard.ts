import { Duration } from 'aws-cdk-lib'
import { AlarmStatusWidget, Dashboard, GraphWidget, type IMetric, Metric } from 'aws-cdk-lib/aws-cloudwatch'
import { Construct } from 'constructs'
import type { MachineUnit } from 'dray/internal/workflow/placeholders.ts'
import { metricsNamespace } from './handler-variables.ts'
import { metricOf, type WorkflowAlarms, type WorkflowAlarmsProps } from './workflow-alarms.ts'

export interface WorkflowDashboardProps extends Omit<WorkflowAlarmsProps, 'topic'> {
  /** A replica's line has the sums over its tables, and the farthest behind of them. */
  readonly pipelines: readonly MachineUnit[]
  readonly alarms: WorkflowAlarms
}

/** One page a workflow: its alarms, its runs, how late it is, the rows of each pipeline, what its runs cost. */
export class WorkflowDashboard extends Construct {
  constructor(scope: Construct, id: string, props: WorkflowDashboardProps) {
    super(scope, id)
    const { machine, deadLetters, alarms, workflow, pipelines } = props
    const graph = (title: string, left: IMetric[]) => new GraphWidget({ title, left, width: 8, height: 6 })
    const ofPipelines = (metricName: string, dimensions: Record<string, string> = { step: 'commit' }) =>
      pipelines.map(
        ({ name: pipeline }) =>
          new Metric({
            namespace: metricsNamespace(props.environment),
            metricName,
            dimensionsMap: { workflow, pipeline, ...dimensions },
            statistic: metricName === 'FreshnessSeconds' ? 'Maximum' : 'Sum',
            label: pipeline,
            period: Duration.minutes(15),
          }),
      )
    const count = (metricName: string) => metricOf(props, metricName, 'Sum', Duration.minutes(15))
    new Dashboard(this, 'Dashboard', {
      widgets: [
        [new AlarmStatusWidget({ title: workflow, alarms: [...alarms.all], width: 24, height: 3 })],
        [
          graph('Runs', [machine.metricSucceeded(), machine.metricFailed(), machine.metricTimedOut()]),
          graph('Milliseconds of a run', [machine.metricTime({ statistic: 'Maximum' })]),
          graph('Seconds since the last success', [
            metricOf(props, 'SecondsSinceSuccess', 'Maximum', Duration.minutes(15)),
          ]),
        ],
        [
          graph('Rows read', ofPipelines('RowsRead')),
          graph('Rows written', ofPipelines('RowsWritten')),
          graph('Rows quarantined', ofPipelines('RowsQuarantined')),
        ],
        [
          graph('Freshness in seconds', ofPipelines('FreshnessSeconds', {})),
          graph('Faults', [count('Failures'), count('Retries'), count('Refusals'), count('Fenced')]),
          graph('Lost starts', [
            deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum' }),
            count('BadEvents'),
          ]),
        ],
        [
          graph('US dollars of a day of runs, by their calls', [
            metricOf(props, 'RunUsDollars', 'Sum', Duration.days(1)),
          ]),
        ],
      ],
    })
  }
}
