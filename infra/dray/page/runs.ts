import { runCost } from 'dray/internal/pipeline/plan/run-cost.ts'
import type { RunDetail, RunRecord } from 'dray/internal/state/state-store.ts'
import { type Call, callsOf, closedAt } from './calls.ts'
import { criticalPath } from './critical-path.ts'
import type { CatalogueDocument, RunDetailDocument, RunDocument } from './documents.ts'
import type { KeptLogs } from './kept-logs.ts'
import type { PageSource } from './page-source.ts'

export function runDocument(run: RunRecord): RunDocument {
  return {
    id: run.id,
    workflow: run.workflow,
    only: run.tables ?? run.only,
    status: run.status,
    start: run.startTime,
    end: run.endTime,
    seconds: run.executionTimeSeconds,
    processed: run.recordsProcessed,
    failed: run.recordsFailed,
    trigger: run.trigger,
    runner: run.runner,
    mode: run.mode,
    error: run.error,
  }
}

export interface RunSurroundings {
  readonly catalogue: CatalogueDocument | null
  /** Null where calls are not asked for. */
  readonly logs: KeptLogs | null
}

/** A run with its steps, its partitions, and each call in time. */
export async function runDetail(
  { stores: { state }, explained }: PageSource,
  id: string,
  { catalogue, logs }: RunSurroundings,
): Promise<RunDetailDocument | null> {
  const detail = await state.run(id)
  if (detail === null) return null
  const { entries, fault: logFault } = await logged(detail.run, logs, explained)
  // How a step ended is asked when it has: that is no work of it.
  const calls = closedAt(callsOf(entries), detail.run.endTime).filter(({ stage }) => stage !== 'outcome')
  const declared = catalogue?.workflows.find(({ name }) => name === detail.run.workflow)?.steps ?? []
  const cost = runCost(detail)
  const steps = stepsOf(detail, declared, calls)
  return {
    run: runDocument(detail.run),
    steps,
    partitions: detail.partitions.map(({ runId: _run, spent: _spent, ...partition }) => partition),
    calls,
    logFault,
    criticalPath: criticalPath(steps),
    cost: cost === null ? null : { usDollars: cost.usDollars, planned: cost.plannedUsDollars, calls: cost.calls },
  }
}

async function logged({ id, endTime }: RunRecord, logs: KeptLogs | null, explained: PageSource['explained']) {
  try {
    return { entries: (await logs?.of(id, endTime)) ?? [], fault: null }
  } catch (error) {
    return { entries: [], fault: (explained(error) as Error).message }
  }
}

function stepsOf(
  { steps, run }: RunDetail,
  declared: CatalogueDocument['workflows'][number]['steps'],
  calls: readonly Call[],
): RunDetailDocument['steps'] {
  const known = new Map(steps.map((step) => [step.step, step]))
  const ofCalls = calls.filter(({ step }) => step !== '')
  const names = declared.map(({ name }) => name).filter((name) => run.only?.includes(name) ?? true)
  const all = [...new Set([...names, ...known.keys(), ...ofCalls.map(({ step }) => step)])]
  return all.map((name) => {
    const record = known.get(name)
    const its = ofCalls.filter(({ step }) => step === name)
    const starts = its.map(({ start }) => start)
    const ends = its.map(({ end }) => end)
    const isAtWork = ends.includes(null)
    const firstCall = starts.length === 0 ? null : Math.min(...starts)
    const lastCall = isAtWork || ends.length === 0 ? null : Math.max(...(ends as number[]))
    const { runId: _run, spent: _spent, ...rest } = record ?? { runId: '', spent: undefined }
    return {
      ...rest,
      name,
      after: declared.find((step) => step.name === name)?.after ?? [],
      status: record?.status ?? (its.length > 0 ? 'running' : run.status === 'running' ? 'waiting' : 'skipped'),
      start: firstCall ?? record?.startTime ?? null,
      end: lastCall ?? (isAtWork ? null : (record?.endTime ?? null)),
    }
  })
}
