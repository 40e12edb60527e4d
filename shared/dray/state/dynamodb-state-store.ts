import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { ConfigurationError } from '#dray/errors.ts'
import { PipelineLeases } from './pipeline-leases.ts'
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

export interface StateStoreOptions {
  /** `STATE_TABLE_NAME` unless told. */
  readonly tableName?: string
  /** `STATE_ENDPOINT` unless told; without either the SDK's own environment decides. */
  readonly endpoint?: string
  readonly region?: string
  /**
   * How long the metrics of runs are kept; `STATE_KEEP_RUNS_DAYS` or 90 days unless told. Pipelines' states are kept
   * for ever.
   */
  readonly keepRunsDays?: number
  /**
   * How long one try of a request may take, in ms, a third of it for the connection (at least 1,000); 3,000 unless
   * told. The SDK makes up to three.
   */
  readonly requestTimeout?: number
}

const DAY_SECONDS = 24 * 60 * 60
const KEEP_RUNS_DAYS = 90
const LOCAL_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * A client with bounded times. A loopback endpoint gets made-up credentials, so that real ones are neither needed nor
 * sent; the user that its URL names is the id of their access key.
 */
export function createStateClient(options: Omit<StateStoreOptions, 'tableName'> = {}): DynamoDBClient {
  const { endpoint = process.env.STATE_ENDPOINT, region, requestTimeout = 3_000 } = options
  const config: DynamoDBClientConfig = {
    requestHandler: {
      connectionTimeout: Math.max(1_000, requestTimeout / 3),
      requestTimeout,
      throwOnRequestTimeout: true,
    },
    maxAttempts: 3,
  }
  if (region !== undefined) config.region = region
  if (endpoint) {
    const { origin, hostname, username } = new URL(endpoint)
    config.endpoint = origin
    if (LOCAL_HOSTS.has(hostname)) {
      config.region = region ?? 'local'
      config.credentials = { accessKeyId: username || 'local', secretAccessKey: 'local' }
    }
  }
  return new DynamoDBClient(config)
}

/**
 * The end of an item of a run that is written now, in seconds since 1970. Throws `Configuration` when the variable
 * names no number of days.
 */
export function runExpiry(days?: number): () => number {
  const variable = process.env.STATE_KEEP_RUNS_DAYS
  const keep = days ?? Number(variable || KEEP_RUNS_DAYS)
  if (!Number.isInteger(keep) || keep < 1) {
    throw new ConfigurationError(
      `STATE_KEEP_RUNS_DAYS is ${variable}, which is no number of days, so the metrics of runs would be lost or never expire. Set it to 90, or unset it.`,
    )
  }
  return () => Math.ceil(Date.now() / 1000) + keep * DAY_SECONDS
}

/** State in one DynamoDB table, by conditional updates of single items. */
export class DynamoDbStateStore implements StateStore {
  readonly #client: DynamoDBClient
  readonly #leases: PipelineLeases
  readonly #metrics: RunMetrics

  constructor(client: DynamoDBClient, tableName: string, keepRunsDays?: number) {
    this.#client = client
    const requests = new StateRequests(DynamoDBDocumentClient.from(client), tableName)
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

  /** Closes the connections. */
  close(): void {
    this.#client.destroy()
  }
}

/**
 * Opens the state store; what the options do not say comes from the environment. Throws `Configuration` when neither
 * names the table.
 */
export function createStateStore(options: StateStoreOptions = {}): DynamoDbStateStore {
  const { tableName = process.env.STATE_TABLE_NAME, keepRunsDays } = options
  if (!tableName) {
    throw new ConfigurationError(
      'No state table is named, so neither last_run nor a lease can be read. Set STATE_TABLE_NAME to its name.',
    )
  }
  return new DynamoDbStateStore(createStateClient(options), tableName, keepRunsDays)
}
