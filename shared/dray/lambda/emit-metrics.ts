import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'

/** What a metric is of; never a run, each of which would be a separate metric to pay for. */
export interface MetricDimensions {
  readonly workflow: string
  readonly pipeline?: string
  readonly step?: string
}

const units = {
  Failures: MetricUnit.Count,
  Retries: MetricUnit.Count,
  Refusals: MetricUnit.Count,
  Fenced: MetricUnit.Count,
  RowsRead: MetricUnit.Count,
  RowsWritten: MetricUnit.Count,
  RowsQuarantined: MetricUnit.Count,
  BadEvents: MetricUnit.Count,
  LineageLost: MetricUnit.Count,
  SecondsSinceSuccess: MetricUnit.Seconds,
  FreshnessSeconds: MetricUnit.Seconds,
  RunUsDollars: MetricUnit.NoUnit,
} as const

export type MetricName = keyof typeof units

/** Powertools would warn of each dimension that is in both sets. */
const silent = { debug() {}, info() {}, warn() {}, error() {} }

/**
 * Writes metrics as one line of the log (EMF), which CloudWatch counts once by workflow and once by all dimensions.
 * Does nothing without `POWERTOOLS_METRICS_NAMESPACE`: locally.
 */
export function emitMetrics(dimensions: MetricDimensions, values: Readonly<Partial<Record<MetricName, number>>>): void {
  const namespace = process.env.POWERTOOLS_METRICS_NAMESPACE
  if (!namespace) return
  const metrics = new Metrics({ namespace, logger: silent })
  metrics.clearDefaultDimensions()
  const { workflow, pipeline, step } = dimensions
  metrics.addDimensions({ workflow })
  if (pipeline) metrics.addDimensions({ workflow, pipeline, ...(step ? { step } : {}) })
  for (const [name, value] of Object.entries(values) as [MetricName, number][]) {
    metrics.addMetric(name, units[name], value)
  }
  metrics.publishStoredMetrics()
}
