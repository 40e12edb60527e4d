import type { ItemTable } from './item-table.ts'
import { PipelineLeases } from './pipeline-leases.ts'
import { runExpiry } from './run-expiry.ts'
import { RunMetrics } from './run-metrics.ts'
import { StateRequests } from './state-requests.ts'
import type {
  KnownSource,
  LandedPartition,
  Lease,
  RunEnd,
  RunFilter,
  RunRecord,
  RunStart,
  StateStore,
  StepRecord,
} from './state-store.ts'

/** State in one table of items, by conditional updates of single ones. */
export class TableStateStore implements StateStore {
  readonly #table: ItemTable
  readonly #leases: PipelineLeases
  readonly #metrics: RunMetrics

  /** `keepRunsDays` as `runExpiry` has it. */
  constructor(table: ItemTable, keepRunsDays?: number) {
    this.#table = table
    const requests = new StateRequests(table)
    this.#leases = new PipelineLeases(requests)
    this.#metrics = new RunMetrics(requests, runExpiry(keepRunsDays))
  }

  acquireLease(pipeline: string, owner: string, now: number, expiresAt: number): Promise<Lease> {
    return this.#leases.acquire(pipeline, owner, now, expiresAt)
  }

  commit(
    lease: Pick<Lease, 'pipeline' | 'owner' | 'epoch' | 'version'>,
    lastRun: string | null,
    source: KnownSource | null = null,
    follows = false,
    countedRows: number | null = null,
  ): Promise<void> {
    return this.#leases.commit(lease, lastRun, source, follows, countedRows)
  }

  raiseEpoch(lease: Lease, above: number): Promise<Lease> {
    return this.#leases.raiseEpoch(lease, above)
  }

  releaseLease(pipeline: string, owner: string): Promise<boolean> {
    return this.#leases.release(pipeline, owner)
  }

  pipeline(name: string) {
    return this.#leases.state(name)
  }

  pipelines() {
    return this.#leases.list()
  }

  setLastRun(pipeline: string, lastRun: string | null, now: number, source: KnownSource | null = null): Promise<void> {
    return this.#leases.setLastRun(pipeline, lastRun, now, source)
  }

  takePending(pipeline: string): Promise<boolean> {
    return this.#leases.takePending(pipeline)
  }

  startRun(run: RunStart): Promise<void> {
    return this.#metrics.start(run)
  }

  finishRun(id: string, end: RunEnd): Promise<void> {
    return this.#metrics.finish(id, end)
  }

  putStep(step: StepRecord): Promise<void> {
    return this.#metrics.putStep(step)
  }

  countAttempt(partition: Parameters<StateStore['countAttempt']>[0]): Promise<void> {
    return this.#metrics.countAttempt(partition)
  }

  putPartition(partition: LandedPartition): Promise<void> {
    return this.#metrics.putPartition(partition)
  }

  run(id: string) {
    return this.#metrics.detail(id)
  }

  runRecord(id: string) {
    return this.#metrics.record(id)
  }

  stepRecord(run: string, step: string) {
    return this.#metrics.step(run, step)
  }

  workflowOf(run: string) {
    return this.#metrics.workflowOf(run)
  }

  runs(filter: RunFilter): Promise<RunRecord[]> {
    return this.#metrics.list(filter)
  }

  /** Closes the table. */
  close(): void {
    this.#table.close()
  }
}
