import type { MiddlewareObj } from '@middy/core'
import type { CommitOutput, FinishOutput } from '#dray/messages/stages.ts'
import { unitOf } from '#dray/messages/step-name.ts'
import { Fenced } from '#dray/pipeline/landing/ledger.ts'
import type { HandlerContext } from './deadline.ts'
import { emitMetrics, type MetricDimensions, type MetricName } from './emit-metrics.ts'

interface Located {
  readonly run?: { readonly workflow?: string }
  readonly pipeline?: string
  readonly task?: string
}

/** Counts what went wrong in a step, the rows of each pipeline when it commits, and the cost of a run when it ends. */
export function withMetrics(step: string): MiddlewareObj<Located, unknown, Error, HandlerContext> {
  return {
    after: ({ event, response }) => {
      const cost = step === 'finish' ? (response as FinishOutput).us_dollars : undefined
      if (cost !== undefined) emitMetrics(dimensionsOf(event, step), { RunUsDollars: cost })
      if (step !== 'commit') return
      const { read, inserted, updated, quarantined } = response as CommitOutput
      emitMetrics(dimensionsOf(event, step), {
        RowsRead: read,
        RowsWritten: inserted + updated,
        RowsQuarantined: quarantined,
      })
    },
    onError: ({ event, error }) => {
      if (error) emitMetrics(dimensionsOf(event, step), { [metricOf(error)]: 1 })
    },
  }
}

/** Tables are counted by their replica: each metric of each of them would be one to pay for. */
function dimensionsOf(event: Located, step: string): MetricDimensions {
  const named = event?.pipeline ?? event?.task
  // The payload may not have been checked.
  const pipeline = typeof named === 'string' ? unitOf(named) : ''
  const workflow = event?.run?.workflow
  return { workflow: typeof workflow === 'string' ? unitOf(workflow) : 'none', ...(pipeline ? { pipeline, step } : {}) }
}

function metricOf(error: Error): MetricName {
  if (error instanceof Fenced || error.name === 'LeaseLost') return 'Fenced'
  if (error.name === 'Transient') return 'Retries'
  return error.name === 'LeaseHeld' ? 'Refusals' : 'Failures'
}
