import { setTimeout as delay } from 'node:timers/promises'
import { type Observer, speechOf } from './engines.ts'
import type { Digests, KindOfRun } from './kinds.ts'
import { Divergence, type Lane } from './lane.ts'
import { PIPELINE } from './models.ts'
import { clockOf, rowsByText } from './rows.ts'

/** The columns of each table that are there from the start; the first one is its key, unless it has none. */
const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  sale: ['id', 'place', 'amount', 'note', 'changed_at'],
  part: ['id', 'name', 'price'],
  line: ['what', 'number'],
  grown: ['id', 'name'],
  passing: ['id', 'name'],
}
const WITHOUT_KEY = 'line'
/** Rows that were stamped so long ago are within the window of a run, whichever of its own transactions are open. */
const SETTLED_MS = 2_200
const SALES = 120

/** All tables of a family; the databases say what must hold of each of them. */
export function replicating(): KindOfRun {
  const grown: string[] = []
  let before: ReadonlyMap<string, Digests> = new Map()
  let stamp = ''
  const columnsOf = (table: string) => [...(COLUMNS[table] ?? []), ...(table === 'grown' ? grown : [])]
  const tablesOf = async (lane: Lane) => {
    const isThere = await isPassing(lane.source)
    return Object.keys(COLUMNS).filter((table) => table !== 'passing' || isThere)
  }
  /** Runs until what was written last is within the window of the cursor. */
  const runOn = async (lane: Lane) => {
    for (let attempt = 1; ((await lane.lastRun(stepOf('sale'))) ?? '') <= stamp; attempt++) {
      const { status, reasons } = await lane.run()
      if (status !== 'SUCCEEDED' || attempt > 10) {
        throw new Divergence(`last_run is ${await lane.lastRun(stepOf('sale'))}, the run ${status}: ${reasons.join()}`)
      }
    }
  }
  const check = async (lane: Lane) => {
    await checkRecords(lane, await tablesOf(lane))
    await runOn(lane)
    for (const table of await tablesOf(lane)) {
      const [due, found] = await bothSides(lane, table, columnsOf(table))
      demandEqual(table, found, due)
    }
    if (await isPassing(lane.source)) return
    demandEqual('passing', await rowsOf(lane.target, 'passing', COLUMNS.passing), before.get('passing'))
  }
  return {
    name: 'replica',
    shape: { load: 'replica' },
    phases: [/^Tables: state-entered/, /^Plan: state-entered/, /^Gather: state-entered/],
    async begin(lane) {
      await createFamily(lane.source)
      stamp = await changeFamily(lane.source, 0)
      const { status, reasons } = await lane.run()
      if (status !== 'SUCCEEDED') throw new Error(`the first run ended ${status}: ${reasons.join('; ')}`)
      await check(lane)
    },
    async prepare(lane, round) {
      const rows = new Map<string, Digests>()
      for (const [table, own] of Object.entries(COLUMNS)) rows.set(table, await rowsOf(lane.target, table, own))
      before = rows
      if (round % 3 === 1) grown.push(await growTable(lane.source, round))
      await comeOrGo(lane.source, round)
      stamp = await changeFamily(lane.source, round)
      await delay(SETTLED_MS)
      return null
    },
    async checkKilled(lane) {
      for (const table of await tablesOf(lane)) {
        const [due, found] = await bothSides(lane, table, COLUMNS[table])
        demandSome(table, found, { due, before: before.get(table) ?? new Map() })
      }
      await checkSalesUntilLastRun(lane)
    },
    check,
  }
}

const stepOf = (table: string) => `${PIPELINE}/${table}`

async function createFamily(source: Observer): Promise<void> {
  const instant = source.engine === 'postgres' ? 'timestamptz' : 'timestamp(6)'
  await source.run(
    `create table sale (id bigint primary key, place varchar(40) not null, amount decimal(18, 4) not null, note text, changed_at ${instant} not null default current_timestamp(6))`,
  )
  await source.run('create index sale_changed on sale (changed_at)')
  await source.run('create table part (id bigint primary key, name varchar(40), price decimal(18, 4))')
  await source.run('create table line (what varchar(40), number integer)')
  await source.run('create table grown (id bigint primary key, name varchar(40))')
  await comeOrGo(source, 1)
}

/** Is there in odd rounds, each time with rows of its own. */
async function comeOrGo(source: Observer, round: number): Promise<void> {
  await source.run('drop table if exists passing')
  if (round % 2 === 0) return
  await source.run('create table passing (id bigint primary key, name varchar(40))')
  await write(source, `insert into passing select id, ${textOf(source, 'came ', round)} from`, [1 + round * 3, 40])
}

async function isPassing(source: Observer): Promise<boolean> {
  const schema = source.engine === 'postgres' ? 'current_schema()' : 'database()'
  const sql = `select table_name from information_schema.tables where table_schema = ${schema} and table_name = 'passing'`
  return (await source.run(sql)).length > 0
}

async function growTable(source: Observer, round: number): Promise<string> {
  const column = `extra_${round}`
  await source.run(`alter table grown add column ${column} bigint`)
  return column
}

/** All rows at first (round 0), then some of each table; returns the last stamp of a sale. */
async function changeFamily(source: Observer, round: number): Promise<string> {
  const { micros, stamp, text } = speechOf(source)
  const [now, version] = [await clockOf(source), textOf(source, 'version ', round)]
  if (round === 0) {
    const at = micros(now, 'id')
    await write(source, `insert into sale select id, ${version}, id * 1.25, null, ${at} from`, [1, SALES])
    await write(source, `insert into part select id, ${version}, id * 0.5 from`, [1, 90])
    await write(source, `insert into line select ${version}, id % 7 from`, [1, 50])
    await write(source, `insert into grown select id, ${version} from`, [1, 60])
  } else {
    const from = SALES + round * 10
    const change = `place = ${version}, note = 'ä\\t€ 😀', amount = ${round}, changed_at = ${micros(now, 'id')}`
    await source.run(`update sale set ${change} where id % 4 = ${round % 4}`)
    await source.run(`delete from sale where id % 13 = ${round % 13}`)
    await write(source, `insert into sale select id, ${version}, ${round}, '', ${micros(now, 'id')} from`, [from, 10])
    await source.run(`update part set name = ${version}, price = null where id % 3 = ${round % 3}`)
    await source.run(`delete from line where number = ${round % 7}`)
    await write(source, `insert into line select ${version}, id % 7 from`, [1, 20])
    await source.run(`update grown set name = ${version} where id % 5 = ${round % 5}`)
  }
  const extra = `extra_${round}`
  if (round % 3 === 1) await source.run(`update grown set ${extra} = id + ${round}`)
  const [[last] = []] = await source.run(`select ${stamp('max(changed_at)')}, ${text('count(*)')} from sale`)
  return last as string
}

function write(source: Observer, insert: string, [from, count]: readonly [number, number]): Promise<unknown> {
  return source.run(`${insert} ${speechOf(source).series(from, from + count - 1)}`)
}

function textOf(source: Observer, what: string, round: number): string {
  const { engine } = source
  const id = speechOf(source).text('id')
  const said = `'${what}${round} of '`
  return engine === 'postgres' ? `${said} || ${id}` : `concat(${said}, ${id})`
}

/** How often each row is there, by digests that the server works out. */
async function rowsOf(observer: Observer, table: string, columns: readonly string[] = []): Promise<Digests> {
  const { hash, stamp, text } = speechOf(observer)
  const parts = columns.map((column) => `coalesce(${column === 'changed_at' ? stamp(column) : text(column)}, '~')`)
  return rowsByText(
    observer,
    `select ${hash(`concat_ws('|', ${parts.join(', ')})`)}, ${text('count(*)')} from ${table} group by 1`,
  )
}

async function bothSides(lane: Lane, table: string, columns?: readonly string[]): Promise<[Digests, Digests]> {
  return [await rowsOf(lane.source, table, columns), await rowsOf(lane.target, table, columns)]
}

function demandEqual(table: string, found: Digests, due: Digests = new Map()): void {
  const wrong = [...new Set([...found.keys(), ...due.keys()])].filter((row) => found.get(row) !== due.get(row))
  if (wrong.length === 0) return
  const [row = ''] = wrong
  throw new Divergence(
    `${table}: ${wrong.length} rows differ; ${row} is there ${found.get(row) ?? 0} times, not ${due.get(row) ?? 0}`,
  )
}

/** Each row is as it was or as it is to be; a table that is replaced is so as a whole. */
function demandSome(table: string, found: Digests, { due, before }: Readonly<Record<'due' | 'before', Digests>>): void {
  if (table === WITHOUT_KEY) {
    const isOld = found.size === before.size && [...found].every(([row, times]) => before.get(row) === times)
    if (!isOld) demandEqual(table, found, due)
    return
  }
  for (const [row, times] of found) {
    if (times !== '1') throw new Divergence(`${table}: ${row} is there ${times} times`)
    if (!due.has(row) && !before.has(row)) throw new Divergence(`${table}: the source never had ${row}`)
  }
}

/** Whatever was stamped before `last_run` of the table has landed. */
async function checkSalesUntilLastRun(lane: Lane): Promise<void> {
  const lastRun = await lane.lastRun(stepOf('sale'))
  if (lastRun === null) throw new Divergence('sale has no last_run any more')
  const { literal } = speechOf(lane.source)
  const due = await rowsOf(lane.source, `sale where changed_at < ${literal(lastRun)}`, COLUMNS.sale)
  const found = await rowsOf(lane.target, 'sale', COLUMNS.sale)
  const lost = [...due.keys()].filter((row) => !found.has(row))
  if (lost.length > 0) throw new Divergence(`last_run of sale is ${lastRun}, and ${lost.length} rows have not landed`)
}

/** The records of the last run tell of each table once, and their sum is the replica's own. */
async function checkRecords(lane: Lane, tables: readonly string[]): Promise<void> {
  const [last] = await lane.state.runs({ limit: 1 })
  const steps = (await lane.state.run(last?.id ?? ''))?.steps ?? []
  const names = steps.map(({ step }) => step).sort()
  const due = [PIPELINE, ...tables.map(stepOf)].sort()
  if (names.join() !== due.join()) throw new Divergence(`${last?.id} has records of ${names}, not of ${due}`)
  const open = steps.find(({ status }) => status !== 'success')
  if (open !== undefined) throw new Divergence(`${last?.id} has succeeded, and ${open.step} is ${open.status}`)
  const own = steps.find(({ step }) => step === PIPELINE)
  const sum = steps.reduce((total, { step, read }) => total + (step === PIPELINE ? 0 : read), 0)
  if (own?.read !== sum) throw new Divergence(`${last?.id} has read ${own?.read} rows, and its tables ${sum}`)
}
