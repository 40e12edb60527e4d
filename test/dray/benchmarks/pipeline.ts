import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type BenchmarkServer, mariadbServer, postgresServer } from './databases.ts'
import { interleaved, limitResult, medianOf, progress, type Result, rateResult, rounded, timed } from './measure.ts'
import { source, target } from './order-pipelines.ts'
import { fillOrders, resetTarget } from './order-tables.ts'
import {
  copyAcross,
  copyAndUpsert,
  hasPgloader,
  hasPsql,
  mysqlProgram,
  mysqlToPostgres,
  pgloader,
  postgresToMysql,
} from './raw-pipes.ts'
import { slowProxy } from './slow-proxy.ts'
import { openStagedRuns, type StagedRuns } from './staged-run.ts'
import { transformCost } from './transform-cost.ts'

const ROUNDS = 3
/** Of the source; 95 % of its rows differ from those of a full target. */
const CHANGED = 1
const HOW = 'handlers in the threads of the local runner, two partitions at once'
const LINE = { delayMs: [20, 20], bytesPerSecond: 3_000_000 } as const

/** The whole pipeline between databases, against the programs of the databases piped together. */
export async function pipelines(rows: number): Promise<Result[]> {
  const postgres = await postgresServer()
  const mariadb = await mariadbServer()
  const withPrograms = hasPsql && mysqlProgram !== null ? mariadb : null
  return [
    ...(await betweenPostgres(postgres, rows)),
    ...(withPrograms === null ? [] : await across(postgres, withPrograms, rows, postgresToMysql)),
    ...(withPrograms === null ? [] : await across(withPrograms, postgres, rows, mysqlToPostgres)),
    ...(mariadb === null ? [] : await againstPgloader(mariadb, postgres, rows)),
    ...(await memory(postgres, Math.min(rows, 1_000_000))),
    ...(await transformCost(Math.min(rows, 200_000))),
    await twoPartitions(postgres, Math.min(rows, 100_000)),
  ]
}

/** Source and target in databases of their own, filled; the source is ahead of what a full target holds. */
export async function prepare(from: BenchmarkServer, into: BenchmarkServer, rows: number) {
  const urls = { source: await from.createDatabase(), target: await into.createDatabase() }
  progress(`filling ${rows} orders (${from.engine} → ${into.engine})`)
  await fillOrders(source, urls.source, rows, CHANGED)
  await fillOrders(target, urls.target, rows)
  return urls
}

export async function loadedBy(work: () => Promise<unknown>, state: 'empty' | 'full', rows: number): Promise<number> {
  await resetTarget(target, state)
  const milliseconds = await timed(work)
  const count = await target.TargetOrder.count()
  if (count !== rows) throw new Error(`${count} rows of ${rows} are in the target`)
  return milliseconds
}

async function betweenPostgres(server: BenchmarkServer, rows: number): Promise<Result[]> {
  const urls = await prepare(server, server, rows)
  const runs = await openStagedRuns()
  const raw = hasPsql ? 'psql COPY' : 'COPY by pg-copy-streams (no psql here)'
  try {
    await warmUp(runs)
    progress('PostgreSQL → PostgreSQL, empty target')
    const empty = await interleaved(
      {
        staged: () => loadedBy(() => runs.run(), 'empty', rows),
        raw: () => loadedBy(() => copyAcross(urls.source, urls.target), 'empty', rows),
      },
      ROUNDS,
    )
    progress('PostgreSQL → PostgreSQL, full target')
    const full = await interleaved(
      {
        staged: () => loadedBy(() => runs.run(), 'full', rows),
        raw: () => loadedBy(() => copyAndUpsert(urls.source, urls.target), 'full', rows),
      },
      ROUNDS,
    )
    return [
      rateResult(
        `staged pipeline, PG → PG, ${rows} rows, empty target, against ${raw} | COPY`,
        rows,
        empty.staged,
        empty.raw,
        0.9,
        HOW,
      ),
      rateResult(
        `staged pipeline, PG → PG, full target with 95 % changed rows, against ${raw} and INSERT … ON CONFLICT`,
        rows,
        full.staged,
        full.raw,
        1.3,
      ),
    ]
  } finally {
    await close(runs)
  }
}

async function across(
  from: BenchmarkServer,
  into: BenchmarkServer,
  rows: number,
  pipe: (source: string, target: string) => Promise<void>,
): Promise<Result[]> {
  const urls = await prepare(from, into, rows)
  const runs = await openStagedRuns()
  try {
    await warmUp(runs)
    progress(`${from.engine} → ${into.engine}, empty target`)
    const { staged, raw } = await interleaved(
      {
        staged: () => loadedBy(() => runs.run(), 'empty', rows),
        raw: () => loadedBy(() => pipe(urls.source, urls.target), 'empty', rows),
      },
      ROUNDS,
    )
    const name = `staged pipeline, ${from.engine} → ${into.engine}, ${rows} rows, empty target, against the raw pipe`
    return [rateResult(name, rows, staged, raw, 0.9)]
  } finally {
    await close(runs)
  }
}

/** The same rows by pgloader, which does without staging, a ledger and a transform. */
async function againstPgloader(from: BenchmarkServer, into: BenchmarkServer, rows: number): Promise<Result[]> {
  if (!hasPgloader) {
    progress('pgloader is left out: there is no program of that name (apt-get install pgloader)')
    return []
  }
  const urls = await prepare(from, into, rows)
  await resetTarget(target, 'empty')
  const megabytes = await memoryOf(urls)
  const runs = await openStagedRuns()
  const resident: number[] = []
  try {
    await warmUp(runs)
    progress('MariaDB → PostgreSQL, beside pgloader')
    const { staged, other } = await interleaved(
      {
        staged: () => loadedBy(() => runs.run(), 'empty', rows),
        other: () => loadedBy(async () => resident.push(await pgloader(urls.source, urls.target)), 'empty', rows),
      },
      ROUNDS,
    )
    const baseline = medianOf(resident)
    const ratio = rounded(megabytes / baseline)
    return [
      rateResult(`staged pipeline, MariaDB → PG, ${rows} rows, against pgloader`, rows, staged, other, 1.5),
      {
        name: `memory of a run from MariaDB to PG, ${rows} rows, against pgloader`,
        value: megabytes,
        unit: 'MB',
        baseline,
        ratio,
        goal: 0.5,
        better: 'less',
        ok: ratio <= 0.5,
        spread: null,
      },
    ]
  } finally {
    await close(runs)
  }
}

export async function warmUp(runs: StagedRuns): Promise<void> {
  await resetTarget(target, 'empty')
  await runs.run()
}

async function close(runs: StagedRuns): Promise<void> {
  await runs.close()
  await Promise.all([source.database.close(), target.database.close()])
}

/** Megabytes that a process had resident at most, which did one run. */
async function memoryOf(urls: { readonly source: string; readonly target: string }): Promise<number> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'run-memory.ts'), urls.source, urls.target],
    { env: process.env },
  )
  return Number(stdout)
}

/** What ten times the rows cost in memory: each run in a process of its own. */
async function memory(server: BenchmarkServer, rows: number): Promise<Result[]> {
  const megabytes: number[] = []
  for (const count of [rows, rows * 10]) {
    const urls = await prepare(server, server, count)
    await Promise.all([source.database.close(), target.database.close()])
    progress(`memory of a run of ${count} rows`)
    megabytes.push(await memoryOf(urls))
  }
  const [few = 0, many = 0] = megabytes
  const growth = rounded(many / few)
  return [
    {
      name: `memory of a run of ${rows * 10} rows, against ${rows} rows`,
      value: many,
      unit: 'MB',
      baseline: few,
      ratio: growth,
      goal: 1.1,
      better: 'less',
      ok: growth <= 1.1,
      spread: null,
      note: 'resident at most: one partition at a time, the local state store in the same process',
    },
    limitResult(`memory of a run of ${rows * 10} rows`, 'MB', [many], 256),
  ]
}

async function twoPartitions(server: BenchmarkServer, rows: number): Promise<Result> {
  const urls = await prepare(server, server, rows)
  await Promise.all([source.database.close(), target.database.close()])
  const proxies = [await slowProxy(urls.source, LINE), await slowProxy(urls.target, LINE)] as const
  process.env.BENCH_SOURCE_DATABASE_URL = proxies[0].url
  process.env.BENCH_TARGET_DATABASE_URL = proxies[1].url
  process.env.BENCH_PARTITION_ROWS = String(Math.ceil(rows / 4))
  const runs = await openStagedRuns({ threads: 2 })
  try {
    progress('one and two partitions at once, over a slow line')
    await warmUp(runs)
    const { two, one } = await interleaved(
      {
        two: () => loadedBy(() => runs.run({ concurrency: 2 }), 'empty', rows),
        one: () => loadedBy(() => runs.run({ concurrency: 1 }), 'empty', rows),
      },
      ROUNDS,
    )
    const note = `4 partitions, ${LINE.delayMs[0]} ms each way, ${LINE.bytesPerSecond / 1e6} MB/s a connection`
    return rateResult('two partitions at once, against one, over a slow line', rows, two, one, 1.5, note)
  } finally {
    delete process.env.BENCH_PARTITION_ROWS
    await close(runs)
    await Promise.all(proxies.map((proxy) => proxy.stop()))
  }
}
