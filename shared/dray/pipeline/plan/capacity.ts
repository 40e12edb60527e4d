/*
 * What a run needs and costs, by formulas. docs/scale.md explains them and shows their table; `dray plan` uses them,
 * too.
 */

/**
 * A Map state takes its items in one payload, and a history has 25,000 events: beyond, a Distributed Map takes them
 * from staging.
 */
export const MOST_INLINE_PARTITIONS = 500

/** In one run of a pipeline. Larger plans have larger partitions than were asked for. */
export const MOST_PARTITIONS = 10_000

/** Rows of a partition: as many as asked for, more where there would be too many partitions. */
export function partitionSize(rows: number, partitionRows: number): number {
  return Math.ceil(Math.max(partitionRows, rows / MOST_PARTITIONS))
}

/** What one run of one pipeline has to do. */
export interface Workload {
  readonly rows: number
  /** Rows of a partition that are asked for; 50,000 by default. */
  readonly partitionRows?: number
  /** Bytes of a row as COPY text. */
  readonly rowBytes?: number
  /** Connections that a run may open to the source, and as many to the target. */
  readonly connections?: number
  /** Partitions at once, where it is not to follow from the connections. */
  readonly concurrency?: number
}

/** What is assumed of Lambda, the databases and the prices; the reasons are in docs/scale.md. */
export interface Assumptions {
  /** Rows a second of one Lambda with one processor, while the databases keep up. */
  readonly extractRate: number
  readonly transformRate: number
  readonly loadRate: number
  /** Rows a second that the databases keep up with, whatever the number of connections. */
  readonly sourceRate: number
  readonly targetRate: number
  /** Keys a second that the source counts and cuts into partitions. */
  readonly planRate: number
  /** Of each call: start, connection, the plan, the first byte. Seconds. */
  readonly callSeconds: number
  /** Plan, commit and finish together, without what the plan takes for each key. Seconds. */
  readonly controlSeconds: number
  readonly lambdaGigabytes: number
  /** Days that staged objects are kept, and runs in a month. */
  readonly retentionDays: number
  readonly runsInMonth: number
  /** Bytes that one call logs. */
  readonly callLogBytes: number
  readonly prices: Prices
}

/** List prices in US dollars. */
export interface Prices {
  readonly lambdaGigabyteSecond: number
  readonly lambdaRequest: number
  readonly stateTransition: number
  readonly s3Put: number
  readonly s3Get: number
  readonly s3GigabyteMonth: number
  /** Of an item of up to 1 kB. */
  readonly dynamoDbWrite: number
  readonly logGigabyte: number
  readonly sqsRequest: number
  /** A month of what stands. A custom metric is billed by the hours in which it gets values. */
  readonly keyMonth: number
  readonly secretMonth: number
  readonly alarmMetricMonth: number
  readonly dashboardMonth: number
  readonly metricMonth: number
  /** Of an interface endpoint, in one zone. */
  readonly endpointHour: number
}

export const assumptions: Assumptions = {
  extractRate: 300_000,
  transformRate: 150_000,
  loadRate: 60_000,
  sourceRate: 300_000,
  targetRate: 100_000,
  planRate: 1_500_000,
  callSeconds: 0.5,
  controlSeconds: 10,
  lambdaGigabytes: 1769 / 1024,
  retentionDays: 7,
  runsInMonth: 30,
  callLogBytes: 3000,
  prices: {
    lambdaGigabyteSecond: 0.0000133334,
    lambdaRequest: 0.0000002,
    stateTransition: 0.000025,
    s3Put: 0.000005,
    s3Get: 0.0000004,
    s3GigabyteMonth: 0.023,
    dynamoDbWrite: 0.000000705,
    logGigabyte: 0.57,
    sqsRequest: 0.0000004,
    keyMonth: 1,
    secretMonth: 0.4,
    alarmMetricMonth: 0.1,
    dashboardMonth: 3,
    metricMonth: 0.3,
    endpointHour: 0.011,
  },
}

export interface Estimate {
  readonly partitions: number
  readonly rowsPerPartition: number
  /** Whether they are in a Distributed Map. */
  readonly distributed: boolean
  readonly concurrency: number
  /** From start to end. */
  readonly seconds: number
  /** Of the plan, which is one call; a Lambda has 900. */
  readonly planSeconds: number
  /** Of the longest other call. */
  readonly longestCallSeconds: number
  readonly lambdaSeconds: number
  readonly lambdaRequests: number
  readonly stateTransitions: number
  readonly s3Puts: number
  readonly s3Gets: number
  readonly stagedBytes: number
  readonly dynamoDbWrites: number
  /** US dollars of one run, without storage. */
  readonly runCost: number
  /** US dollars a month: the runs, and what is staged. */
  readonly monthCost: number
}

const DEFAULT_PARTITION_ROWS = 50_000
const DEFAULT_ROW_BYTES = 130
const DEFAULT_CONNECTIONS = 20
/** Plan and Commit have one connection each. */
const CONTROL_CONNECTIONS = 1
const PART_BYTES = 8 * 1024 * 1024
/** States of a run, and of each pipeline outside its partitions, in both machines. */
const RUN_TRANSITIONS = 6
const PIPELINE_TRANSITIONS = 11
/** Of each partition. */
const STAGES = 3
/** Calls of plan, commit and finish. */
const CONTROL_CALLS = 3
/** Writes of a run, of each pipeline, of each partition (an attempt, and that it has landed). */
const RUN_WRITES = 2
const PIPELINE_WRITES = 6
const PARTITION_WRITES = 2
/** The plan; commit reads it again. */
const RUN_PUTS = 1
const RUN_GETS = 1
/**
 * What each partition stages, and what it reads: the plan, by Extract and by Load, and what is staged, by Load up to
 * two times.
 */
const STAGED_PER_PARTITION = 2
const PARTITION_GETS = 5

/** What one run of a pipeline needs and costs. A pure function of its arguments. */
export function estimate(workload: Workload, assumed: Assumptions = assumptions): Estimate {
  const { rows, rowBytes = DEFAULT_ROW_BYTES } = workload
  const size = partitionSize(rows, workload.partitionRows ?? DEFAULT_PARTITION_ROWS)
  const partitions = Math.max(1, Math.ceil(rows / size))
  const rowsPerPartition = Math.min(rows, size)
  const distributed = partitions > MOST_INLINE_PARTITIONS
  const calls = callSecondsOf(rowsPerPartition, assumed)
  const partitionSeconds = calls.extract + calls.transform + calls.load
  const concurrency = concurrencyOf(workload, { partitions, rowsPerPartition, partitionSeconds }, assumed)
  const byLambda = Math.ceil(partitions / concurrency) * partitionSeconds
  const byDatabases = rows / Math.min(assumed.sourceRate, assumed.targetRate)
  const planSeconds = assumed.callSeconds + rows / assumed.planRate
  const control = assumed.controlSeconds + planSeconds
  const lambdaSeconds = Math.max(partitions * partitionSeconds, byDatabases * concurrency) + control
  const asked = requestsOf({ partitions, rows, rowBytes })
  const counts = {
    ...asked,
    lambdaRequests: partitions * STAGES + CONTROL_CALLS,
    stateTransitions: RUN_TRANSITIONS + asked.stateTransitions,
    stagedBytes: rows * rowBytes * STAGED_PER_PARTITION,
    dynamoDbWrites: RUN_WRITES + asked.dynamoDbWrites,
  }
  const parts = costParts({ gigabyteSeconds: lambdaSeconds * assumed.lambdaGigabytes, ...counts }, assumed)
  const runCost = Object.values(parts).reduce((sum, part) => sum + part, 0)
  return {
    partitions,
    rowsPerPartition,
    distributed,
    concurrency,
    seconds: Math.max(byLambda, byDatabases) + control,
    planSeconds,
    longestCallSeconds: Math.max(calls.extract, calls.transform, calls.load * slowdown(byDatabases, byLambda)),
    lambdaSeconds,
    ...counts,
    runCost,
    monthCost: runCost * assumed.runsInMonth + storageCostOf(counts.stagedBytes, assumed),
  }
}

/**
 * Partitions at once within a budget of connections: each holds one connection of the source or of the target. More
 * than the databases keep up with would only wait, and be paid for it.
 */
function concurrencyOf(
  { concurrency, connections = DEFAULT_CONNECTIONS }: Workload,
  {
    partitions,
    rowsPerPartition,
    partitionSeconds,
  }: Record<'partitions' | 'rowsPerPartition' | 'partitionSeconds', number>,
  { sourceRate, targetRate }: Assumptions,
): number {
  if (concurrency !== undefined) return Math.min(concurrency, partitions)
  const enough = Math.ceil((Math.min(sourceRate, targetRate) * partitionSeconds) / Math.max(1, rowsPerPartition))
  return Math.max(1, Math.min(connections - CONTROL_CONNECTIONS, enough, partitions))
}

function callSecondsOf(rows: number, { extractRate, transformRate, loadRate, callSeconds }: Assumptions) {
  return {
    extract: callSeconds + rows / extractRate,
    transform: callSeconds + rows / transformRate,
    load: callSeconds + rows / loadRate,
  }
}

/** How much longer calls take that wait for the databases. */
function slowdown(byDatabases: number, byLambda: number): number {
  return Math.max(1, byDatabases / byLambda)
}

/** What a run asks of the services beside its steps. */
export const runRequests = { stateTransitions: RUN_TRANSITIONS, s3Puts: 0, s3Gets: 0, dynamoDbWrites: RUN_WRITES }

/** What a task asks of them: its gate and its work; that the run and it have begun, and how it ended. */
export const taskRequests = { stateTransitions: 2, s3Puts: 0, s3Gets: 0, dynamoDbWrites: 3 }

/** What a pipeline of a run with so many partitions asks of the services, beside its workflow's machine. */
export function requestsOf({ partitions, rows, rowBytes }: Record<'partitions' | 'rows' | 'rowBytes', number>) {
  const distributed = partitions > MOST_INLINE_PARTITIONS ? 1 : 0
  const bytes = (rows / Math.max(1, partitions)) * rowBytes
  return {
    stateTransitions: PIPELINE_TRANSITIONS + partitions * (STAGES + distributed),
    s3Puts: RUN_PUTS + distributed + partitions * STAGED_PER_PARTITION * putsOf(bytes),
    s3Gets: RUN_GETS + distributed + partitions * PARTITION_GETS,
    dynamoDbWrites: PIPELINE_WRITES + partitions * PARTITION_WRITES,
  }
}

/** An object of more than one part is a multipart upload: begun, uploaded part by part, completed. */
function putsOf(bytes: number): number {
  return bytes < PART_BYTES ? 1 : Math.ceil(bytes / PART_BYTES) + 2
}

/** What a run asks of the services, as it is billed. */
export type Billed = Pick<Estimate, 'lambdaRequests' | 'stateTransitions' | 's3Puts' | 's3Gets' | 'dynamoDbWrites'> & {
  readonly gigabyteSeconds: number
}

export type CostParts = Readonly<Record<'lambda' | 'logs' | 'stateTransitions' | 's3' | 'dynamoDb', number>>

/** US dollars of a run, without storage, by what is billed. */
export function costParts(billed: Billed, { prices, callLogBytes }: Assumptions = assumptions): CostParts {
  return {
    lambda: billed.gigabyteSeconds * prices.lambdaGigabyteSecond + billed.lambdaRequests * prices.lambdaRequest,
    logs: billed.lambdaRequests * (callLogBytes / 1e9) * prices.logGigabyte,
    stateTransitions: billed.stateTransitions * prices.stateTransition,
    s3: billed.s3Puts * prices.s3Put + billed.s3Gets * prices.s3Get,
    dynamoDb: billed.dynamoDbWrites * prices.dynamoDbWrite,
  }
}

/** Staged objects of a month's runs, each for the days that it is kept. */
function storageCostOf(stagedBytes: number, { prices, retentionDays, runsInMonth }: Assumptions): number {
  return (stagedBytes / 1e9) * runsInMonth * (retentionDays / 30) * prices.s3GigabyteMonth
}
