import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { postgresServer } from './databases.ts'
import { interleaved, limitResult, progress, type Result, rateResult } from './measure.ts'
import { source, target } from './order-pipelines.ts'
import { resetTarget } from './order-tables.ts'
import { prepare } from './pipeline.ts'
import { type SlowProxy, slowProxy } from './slow-proxy.ts'

const ROUNDS = 3
const PARTITION_ROWS = 50_000
/** Within a region of AWS: milliseconds to the first byte of an answer, bytes a second of a connection. */
const LINES = {
  s3: { delayMs: [0, 20], bytesPerSecond: 80_000_000 },
  dynamo: { delayMs: [0, 5], bytesPerSecond: 80_000_000 },
  database: { delayMs: [0, 1], bytesPerSecond: 250_000_000 },
} as const

interface Places {
  readonly source: string
  readonly target: string
  readonly s3: string
  readonly dynamo: string
}

/** The staged pipeline over S3 and DynamoDB, with the lines of AWS before them and the databases, and without. */
export async function asOnAws(rows: number): Promise<Result[]> {
  const server = await postgresServer()
  const urls = await prepare(server, server, rows)
  const standIns = child('aws-stand-ins.ts', {})
  const [{ s3, dynamo }] = (await once(standIns, 'message')) as [Pick<Places, 's3' | 'dynamo'>]
  const near: Places = { ...urls, s3, dynamo }
  const lines = {
    source: await slowProxy(near.source, LINES.database),
    target: await slowProxy(near.target, LINES.database),
    s3: await slowProxy(near.s3, LINES.s3),
    dynamo: await slowProxy(near.dynamo, LINES.dynamo),
  }
  const far: Places = {
    source: lines.source.url,
    target: lines.target.url,
    s3: lines.s3.url,
    dynamo: lines.dynamo.url,
  }
  const open: ChildProcess[] = [standIns]
  try {
    progress('PostgreSQL → PostgreSQL over S3 and DynamoDB, with the lines of AWS and without')
    const lanes = {
      aws: await lane(far, PARTITION_ROWS, open),
      near: await lane(near, PARTITION_ROWS, open),
    }
    const empty = async (run: () => Promise<number>) => {
      await resetTarget(target, 'empty')
      return run()
    }
    const { aws, near: held } = await interleaved(
      { aws: () => empty(lanes.aws), near: () => empty(lanes.near) },
      ROUNDS,
    )
    const halves = await lane(far, PARTITION_ROWS / 2, open)
    const many = await requestsOf(lines, () => empty(halves))
    const few = await requestsOf(lines, () => empty(lanes.aws))
    const partitions = Math.ceil((2 * rows) / PARTITION_ROWS) - Math.ceil(rows / PARTITION_ROWS)
    const note = '20 ms and 80 MB/s to S3, 5 ms to DynamoDB, 1 ms and 2 Gbit/s to the databases'
    return [
      rateResult('PG → PG as on AWS, empty target, against the same without its lines', rows, aws, held, 0.75, note),
      limitResult('requests to S3 and DynamoDB a partition, all three functions', '', [(many - few) / partitions], 10),
    ]
  } finally {
    for (const one of open) one.disconnect()
    await Promise.all(Object.values(lines).map((line) => line.stop()))
    await Promise.all([source.database.close(), target.database.close()])
  }
}

/** What a run has asked of S3 and DynamoDB. */
async function requestsOf(
  { s3, dynamo }: { readonly s3: SlowProxy; readonly dynamo: SlowProxy },
  run: () => Promise<unknown>,
): Promise<number> {
  const before = s3.requests() + dynamo.requests()
  await run()
  return s3.requests() + dynamo.requests() - before
}

/** A process that has run once, and runs again when it is asked; resolves to its milliseconds. */
async function lane(places: Places, partitionRows: number, open: ChildProcess[]): Promise<() => Promise<number>> {
  await resetTarget(target, 'empty')
  const process = child('staged-lane.ts', {
    [urlVariable(source.database.name)]: places.source,
    [urlVariable(target.database.name)]: places.target,
    BENCH_PARTITION_ROWS: String(partitionRows),
    AWS_ENDPOINT_URL_S3: places.s3,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: 'eu-west-1',
    STAGING_URL: 's3://staging/bench',
    STATE_ENDPOINT: places.dynamo,
    STATE_TABLE_NAME: 'dray',
  })
  open.push(process)
  await answerOf(process)
  return async () => {
    process.send('run')
    return (await answerOf(process)) as number
  }
}

async function answerOf(process: ChildProcess): Promise<unknown> {
  const ended = once(process, 'exit').then(([code]) => {
    throw new Error(`a lane ended by ${code}`)
  })
  const [answer] = (await Promise.race([once(process, 'message'), ended])) as [unknown]
  ended.catch(() => {})
  return answer
}

function child(file: string, environment: NodeJS.ProcessEnv): ChildProcess {
  return fork(join(import.meta.dirname, file), [], {
    env: { ...process.env, ...environment },
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
}
