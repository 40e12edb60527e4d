import { installContenders } from './contender-packages.ts'
import { ContenderProcess } from './contender-process.ts'
import type { Engine } from './contenders/contender.ts'
import { type BenchmarkServer, mariadbServer, postgresServer } from './databases.ts'
import { interleaved, limitResult, type Measured, progress, type Result, rateResult } from './measure.ts'
import { attributesOf, fillOrders, orderTables, resetTarget } from './order-tables.ts'

/** Measurements of each figure; the median counts. */
const ROUNDS = 3
const NAIVE_ROWS = 5_000

const LIBRARIES = ['bare-driver', 'typeorm', 'sequelize', 'drizzle', 'objection', 'kysely'] as const
/** What the server can do at most; it reads nothing. */
const CEILING = 'ceiling'
type Reader = 'dray' | (typeof LIBRARIES)[number]
type Name = Reader | typeof CEILING
type Contenders = Readonly<Record<Name, ContenderProcess>>

/** What a library's bulk upsert is held against; a driver by hand has no goal of its own. */
const UPSERT_GOALS: Readonly<Record<(typeof LIBRARIES)[number], number | null>> = {
  'bare-driver': null,
  typeorm: 6,
  sequelize: 6,
  drizzle: 6,
  objection: 3,
  kysely: 3,
}

/** Reads and upserts through the models against the drivers and other libraries, on both servers. */
export async function activeRecord(rows: number): Promise<Result[]> {
  await installContenders()
  const mariadb = await mariadbServer()
  return [
    ...(await onServer(await postgresServer(), rows)),
    ...(mariadb === null ? [] : await onServer(mariadb, rows)),
    ...recordCosts(),
  ]
}

async function onServer(server: BenchmarkServer, rows: number): Promise<Result[]> {
  const tables = orderTables('bench')
  const url = await server.createDatabase()
  progress(`filling ${rows} orders (${server.engine})`)
  await fillOrders(tables, url, rows)
  const contenders = await start(server.engine, url)
  try {
    const read = await reading(contenders, server.engine, rows)
    const empty = await upserting(contenders, server.engine, tables, rows, 'empty')
    const full = await upserting(contenders, server.engine, tables, rows, 'full')
    return [...read, ...empty, ...full]
  } finally {
    for (const contender of Object.values(contenders)) await contender.stop()
    await tables.database.close()
  }
}

async function start(engine: Engine, url: string): Promise<Contenders> {
  const started: [string, ContenderProcess][] = []
  for (const name of ['dray', ...LIBRARIES, CEILING])
    started.push([name, await ContenderProcess.start(name, engine, url)])
  return Object.fromEntries(started) as Contenders
}

function each<Some extends Name>(
  contenders: Readonly<Record<Some, ContenderProcess>>,
  work: (contender: ContenderProcess) => Promise<number>,
) {
  return Object.fromEntries(
    Object.values<ContenderProcess>(contenders).map((contender) => [contender.name, () => work(contender)]),
  ) as Record<Some, () => Promise<number>>
}

async function reading(contenders: Contenders, engine: Engine, rows: number): Promise<Result[]> {
  progress(`reading ${rows} rows (${engine})`)
  const order = { rows, edition: 0 }
  const { [CEILING]: _writesOnly, ...readers } = contenders
  const measured: Record<Reader | 'fields', Measured> = await interleaved(
    {
      ...each(readers, (contender) => contender.run({ work: 'read', ...order })),
      fields: () => contenders.dray.run({ work: 'readFields', ...order }),
    },
    ROUNDS,
  )
  const fastest = LIBRARIES.slice(1).reduce((best, name) =>
    measured[name].median < measured[best].median ? name : best,
  )
  const label = `${engine}: read ${rows} rows as records`
  return [
    rateResult(`${label}, against the fastest library (${fastest})`, rows, measured.dray, measured[fastest], 2),
    rateResult(
      `${label}, every field used, against ${fastest} with none used`,
      rows,
      measured.fields,
      measured[fastest],
      null,
    ),
    ...LIBRARIES.filter((name) => name !== fastest).map((name) =>
      rateResult(`${label}, against ${name}`, rows, measured.dray, measured[name], null),
    ),
  ]
}

async function upserting(
  contenders: Contenders,
  engine: Engine,
  tables: ReturnType<typeof orderTables>,
  rows: number,
  state: 'empty' | 'full',
): Promise<Result[]> {
  const edition = state === 'empty' ? 0 : 1
  progress(`upserting ${rows} rows into ${state === 'empty' ? 'an empty' : 'a full'} table (${engine})`)
  for (const contender of Object.values(contenders)) {
    await resetTarget(tables, 'empty')
    await contender.run({ work: 'upsert', rows: Math.min(rows, 5_000), edition })
  }
  const measured = await interleaved(
    each(contenders, async (contender) => {
      await resetTarget(tables, state)
      return contender.run({ work: 'upsert', rows, edition })
    }),
    ROUNDS,
  )
  const few = Math.min(rows, NAIVE_ROWS)
  const naive = await interleaved(
    {
      naive: async () => {
        await resetTarget(tables, state)
        const milliseconds = await contenders['bare-driver'].run({ work: 'findAndSave', rows: few, edition })
        return (milliseconds * rows) / few
      },
    },
    ROUNDS,
  )
  const label = `${engine}: upsertAll of ${rows} rows, ${state} table`
  return [
    ...LIBRARIES.map((name) =>
      rateResult(`${label}, against ${name}`, rows, measured.dray, measured[name], UPSERT_GOALS[name]),
    ),
    rateResult(
      `${label}, against ready bytes and the server's fastest statement`,
      rows,
      measured.dray,
      measured.ceiling,
      null,
    ),
    rateResult(`${label}, against find-and-save (${few} rows, scaled)`, rows, measured.dray, naive.naive, 50),
  ]
}

/** What it costs to make a record of a row, and to use every field of it. */
function recordCosts(): Result[] {
  const { Order } = orderTables('bench')
  const texts = Array.from({ length: 20_000 }, (_, index) => {
    const row = attributesOf(index, 0)
    return [
      String(row.orderId),
      String(row.customerId),
      row.orderDate,
      row.amount,
      row.status,
      row.note,
      `${row.lastUpdated}+00`,
    ]
  })
  let used = 0
  const making = () => {
    for (const row of texts) used += Order.instantiate(row).isNew ? 1 : 0
  }
  const using = () => {
    for (const row of texts) {
      const order = Order.instantiate(row)
      used += order.orderId > 0n && order.customerId > 0n ? 1 : 0
      used += order.orderDate.length + order.amount.length + order.status.length + order.lastUpdated.length
      used += order.note?.length ?? 0
    }
  }
  const nanoseconds = (work: () => void) =>
    Array.from({ length: 10 }, () => {
      const start = performance.now()
      work()
      return ((performance.now() - start) * 1e6) / texts.length
    }).slice(5)
  const made = nanoseconds(making)
  const all = nanoseconds(using)
  if (used === 0) throw new Error('no record was made')
  return [
    limitResult('a record of a row', 'ns', made, null),
    limitResult('a record of a row and its 7 fields, cast', 'ns', all, null),
  ]
}
