import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb'
import { ConfigurationError } from '#dray/errors.ts'
import { DynamoDbItemTable } from './dynamodb-item-table.ts'
import { TableStateStore } from './table-state-store.ts'

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

const LOCAL_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * A client with bounded times. A loopback endpoint gets made-up credentials, so that real ones are neither needed nor
 * sent; the user that its URL names is the id of their access key.
 */
export function createStateClient(options: Omit<StateStoreOptions, 'tableName' | 'keepRunsDays'> = {}): DynamoDBClient {
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
 * Opens the table; what the options do not say comes from the environment. Throws `Configuration` when neither names
 * it.
 */
export function openDynamoDbTable(options: Omit<StateStoreOptions, 'keepRunsDays'> = {}): DynamoDbItemTable {
  const { tableName = process.env.STATE_TABLE_NAME } = options
  if (!tableName) {
    throw new ConfigurationError(
      'No state table is named, so neither last_run nor a lease can be read. Set STATE_TABLE_NAME to its name.',
    )
  }
  return DynamoDbItemTable.of(createStateClient(options), tableName)
}

/** The state store over it. */
export function createStateStore(options: StateStoreOptions = {}): TableStateStore {
  return new TableStateStore(openDynamoDbTable(options), options.keepRunsDays)
}
