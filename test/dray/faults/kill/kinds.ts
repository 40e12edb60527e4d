import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import { quarantinedRows } from 'dray/internal/pipeline/quarantine/kept-rows.ts'
import { speechOf } from './engines.ts'
import {
  brokenVersions,
  currentVersions,
  dueByCode,
  dueSince,
  landingRuns,
  timesLanded,
  versionsApart,
} from './kind-rows.ts'
import { Divergence, type Lane } from './lane.ts'
import { GONE, ORIGIN, PIPELINE, type PipelineShape, SKIPPED } from './models.ts'
import { clockOf, isGood, landedRows, rowsByText, writeRows } from './rows.ts'

/** Three partitions, with rows that are left out, rejected and refused. */
const ROWS = { from: 301, to: 420, ownCodes: true }
const PARTITION_ROWS = 40
/** A row that was stamped so long ago is within the window of a run. */
const SETTLED_MS = 2_200

/**
 * A kind of run that is killed: what comes before it, and what must hold when it was killed and when it has been made
 * good.
 */
export interface KindOfRun {
  readonly name: string
  readonly shape: PipelineShape
  /** Where Commit begins what must be seen whole or not at all. */
  readonly critical?: RegExp
  /** Where each of its phases begins, in order: kills are spread over each of them. */
  readonly phases?: readonly RegExp[]
  /** The first content of the databases. */
  begin(lane: Lane): Promise<void>
  /**
   * Changes the databases; returns what the run that is killed is asked for. Called once for each kill, the rounds from
   * 1.
   */
  prepare(lane: Lane, round: number): Promise<RunMode | null>
  /** The run is dead, and nothing has been done about it. */
  checkKilled?(lane: Lane): Promise<void>
  /** After another run has succeeded. */
  check(lane: Lane): Promise<void>
}

export type Digests = ReadonlyMap<string, string>

/** All rows at first (round 0), and a fourth of them in each round. */
async function changeRows(lane: Lane, round: number): Promise<string> {
  return writeRows(lane.source, { ...ROWS, every: round === 0 ? 1 : 4, place: round }, round)
}

async function firstRun(lane: Lane): Promise<void> {
  await changeRows(lane, 0)
  const { status, reasons } = await lane.run()
  if (status !== 'SUCCEEDED') throw new Error(`the first run ended ${status}: ${reasons.join('; ')}`)
}

async function deleteSome(lane: Lane, round: number): Promise<void> {
  await lane.source.run(`delete from item where id % 11 = ${round % 11}`)
}

function isSame(one: Digests, other: Digests): boolean {
  return one.size === other.size && [...one].every(([code, digest]) => other.get(code) === digest)
}

function demandSame(found: Digests, due: Digests, what: string): void {
  if (isSame(found, due)) return
  const [code = ''] = [...due, ...found].find(([key]) => found.get(key) !== due.get(key)) ?? []
  throw new Divergence(
    `${what}: ${found.size} rows where ${due.size} are due; ${code} is ${found.get(code)}, not ${due.get(code)}`,
  )
}

async function demandSource(lane: Lane, isRepaired = false, below: string | null = null): Promise<void> {
  const due = await dueByCode(lane.source, isRepaired, below)
  demandSame(await landedRows(lane.target), due, 'the target is not the source')
}

/** The old rows, or the new ones: never some of them, never none. */
function replacing(): KindOfRun {
  let before: Digests = new Map()
  return {
    name: 'replace',
    shape: { load: 'replace', partitionRows: PARTITION_ROWS },
    critical: /is sent select count\(\*\) from .product__dray_next/,
    begin: firstRun,
    async prepare(lane, round) {
      before = await landedRows(lane.target)
      await changeRows(lane, round)
      await deleteSome(lane, round)
      return null
    },
    async checkKilled(lane) {
      const [found, due] = [await landedRows(lane.target), await dueByCode(lane.source)]
      if (!isSame(found, before)) demandSame(found, due, 'the table is neither what it was nor what it was to be')
    },
    check: (lane) => demandSource(lane),
  }
}

/** Of a part of the table: rows grow out of it from round to round. */
const BELOW = '470'

/** All that is gone, or nothing; and never what is there. Rows that say it themselves are there, and are changed. */
function deleting(load: 'deletes' | 'told', name: string = load, shape: PipelineShape = {}): KindOfRun {
  const { from, below = null } = shape
  let before: Digests = new Map()
  return {
    name,
    shape: { load, partitionRows: PARTITION_ROWS, ...shape },
    critical: /staging\.read object starts/,
    async begin(lane) {
      if (from === 'view') await lane.source.run('create view item_view as select * from item')
      await firstRun(lane)
    },
    async prepare(lane, round) {
      before = await landedRows(lane.target)
      await changeRows(lane, round)
      if (load === 'deletes') await deleteSome(lane, round)
      else await touch(lane, `label = '${GONE}' where id % 11 = ${round % 11}`)
      return null
    },
    async checkKilled(lane) {
      const [found, due] = [await landedRows(lane.target), await dueByCode(lane.source, false, below)]
      const lost = [...before.keys()].filter((code) => !found.has(code))
      const gone = [...before.keys()].filter((code) => !due.has(code))
      const wrong = lost.find((code) => due.has(code))
      if (wrong !== undefined) throw new Divergence(`${wrong} was deleted, and the source has it`)
      if (lost.length > 0 && lost.length < gone.length)
        throw new Divergence(`${lost.length} of ${gone.length} rows were deleted`)
    },
    check: (lane) => demandSource(lane, false, below),
  }
}

/** What has landed once stays as it was, and what is new lands. */
function leaving(): KindOfRun {
  let first: Digests = new Map()
  return {
    name: 'first',
    shape: { load: 'first', partitionRows: PARTITION_ROWS },
    async begin(lane) {
      await firstRun(lane)
      first = await landedRows(lane.target)
    },
    async prepare(lane, round) {
      await changeRows(lane, round)
      await writeRows(lane.source, { from: 421 + 5 * round, to: 425 + 5 * round, ownCodes: true }, round)
      return null
    },
    async check(lane) {
      const found = await landedRows(lane.target)
      demandSame(found, new Map([...(await dueByCode(lane.source)), ...first]), 'the target is not what came first')
      first = found
    },
  }
}

/** What others have put there takes the source's values, what they have taken away stays away; nothing else comes. */
function updatingOnly(): KindOfRun {
  let before: Digests = new Map()
  const due = async (lane: Lane) => {
    const latest = await dueByCode(lane.source)
    return new Map([...before].map(([code, digest]) => [code, latest.get(code) ?? digest]))
  }
  const codesOf = async (lane: Lane, where: string) =>
    (await lane.source.run(`select code from item where ${where}`)).map(([code]) => code as string)
  const putThere = async (lane: Lane, where: string) => {
    const there = await landedRows(lane.target)
    const rows = (await codesOf(lane, where))
      .filter((code) => !there.has(code))
      .map((code) => `('${code}', 'of others', 0, null, 0, '2020-01-01 00:00:00')`)
    if (rows.length > 0)
      await lane.target.run(
        `insert into product (code, label, amount, note, source_id, changed_at) values ${rows.join(', ')}`,
      )
  }
  return {
    name: 'known',
    shape: { load: 'known', partitionRows: PARTITION_ROWS },
    async begin(lane) {
      await changeRows(lane, 0)
      await putThere(lane, 'id % 2 = 0')
      await lane.run()
    },
    async prepare(lane, round) {
      await changeRows(lane, round)
      const gone = (await codesOf(lane, `id % 5 = ${round % 5}`)).map((code) => `'${code}'`)
      await lane.target.run(`delete from product where code in (${gone.join(', ')})`)
      await putThere(lane, `id % 7 = ${round % 7}`)
      before = await landedRows(lane.target)
      return null
    },
    async checkKilled(lane) {
      const [found, latest] = [await landedRows(lane.target), await due(lane)]
      for (const [code, digest] of found) {
        if (digest !== before.get(code) && digest !== latest.get(code))
          throw new Divergence(`${code} is ${digest}, neither what it was nor what it was to be`)
      }
      if (found.size !== before.size) throw new Divergence(`${found.size} rows are there, and ${before.size} were`)
    },
    async check(lane) {
      demandSame(await landedRows(lane.target), await due(lane), 'the target is not what was there, brought up to date')
    },
  }
}

/** In a table with rows of others, which have the same codes, it takes its rows away alone. */
function sharing(): KindOfRun {
  const own = `shared where origin = '${ORIGIN}'`
  let others: Digests = new Map()
  return {
    name: 'shared',
    shape: { load: 'shared', partitionRows: PARTITION_ROWS },
    critical: /staging\.read object starts/,
    async begin(lane) {
      await firstRun(lane)
      const columns = 'code, label, amount, note, source_id, changed_at'
      await lane.target.run(
        `insert into shared (origin, ${columns}) select 'others', ${columns} from ${own} and amount < 450`,
      )
      others = await landedRows(lane.target, "shared where origin = 'others'")
      if (others.size === 0) throw new Error('there are no rows of others')
    },
    async prepare(lane, round) {
      await changeRows(lane, round)
      await deleteSome(lane, round)
      return null
    },
    async checkKilled(lane) {
      demandSame(await landedRows(lane.target, "shared where origin = 'others'"), others, 'rows of others')
    },
    async check(lane) {
      demandSame(await landedRows(lane.target, "shared where origin = 'others'"), others, 'rows of others')
      demandSame(await landedRows(lane.target, own), await dueByCode(lane.source), 'the rows are not the source')
    },
  }
}

/** A column that comes before each run is in the target with all of its values, whatever a run was killed at. */
function following(): KindOfRun {
  let column = ''
  return {
    name: 'follow',
    shape: { load: 'follow', partitionRows: PARTITION_ROWS },
    critical: /is sent alter table/,
    begin: firstRun,
    async prepare(lane, round) {
      await changeRows(lane, round)
      column = `extra_${round}`
      await lane.source.run(`alter table item add column ${column} bigint`)
      await lane.source.run(`update item set ${column} = id + ${round}`)
      return null
    },
    async check(lane) {
      const { text } = speechOf(lane.source)
      await demandSource(lane)
      const due = await rowsByText(
        lane.source,
        `select code, ${text(column)} from item where label is not null and label <> '${SKIPPED}' and amount >= 0`,
      )
      const found = await rowsByText(lane.target, `select code, ${text(column)} from product`)
      demandSame(found, due, `the column ${column} is not that of the source`)
    },
  }
}

/** Each version of a row that a run has found, once: in the order in which rounds have written them. */
class WrittenVersions {
  readonly #times = new Map<string, number>()
  stamp = ''

  async begin(lane: Lane): Promise<void> {
    await this.prepare(lane, 0)
    await lane.recover(this.stamp)
  }

  async prepare(lane: Lane, round: number): Promise<null> {
    const since = await clockOf(lane.source)
    this.stamp = await changeRows(lane, round)
    for (const digest of await dueSince(lane.source, since)) this.#times.set(digest, (this.#times.get(digest) ?? 0) + 1)
    return null
  }

  async demand(lane: Lane, table: 'event' | 'version'): Promise<void> {
    await lane.recover(this.stamp)
    const found = await timesLanded(lane.target, table)
    const text = (times: ReadonlyMap<string, number>) => new Map([...times].map(([row, count]) => [row, String(count)]))
    demandSame(text(found), text(this.#times), `rows of ${table}, by how often they are there`)
  }
}

function appending(): KindOfRun {
  const written = new WrittenVersions()
  return {
    name: 'append',
    shape: { load: 'append', partitionRows: 15 },
    begin: (lane) => written.begin(lane),
    prepare: (lane, round) => written.prepare(lane, round),
    check: (lane) => written.demand(lane, 'event'),
  }
}

/** Each version once, though a run reads a part of what there is. */
function loadingParts(): KindOfRun {
  return { ...appending(), name: 'parts', shape: { load: 'append', partitionRows: 8, firstRows: 20 } }
}

function keepingHistory(): KindOfRun {
  const written = new WrittenVersions()
  return {
    name: 'history',
    shape: { load: 'history', partitionRows: 15 },
    begin: (lane) => written.begin(lane),
    prepare: (lane, round) => written.prepare(lane, round),
    checkKilled: demandVersions,
    async check(lane) {
      await written.demand(lane, 'version')
      await demandVersions(lane)
      demandSame(await currentVersions(lane.target), await dueByCode(lane.source), 'the current versions')
    },
  }
}

/** Each version in its place by a time of the source's, a third of them before those that came first. */
function keepingTimeline(): KindOfRun {
  const written = new WrittenVersions()
  const demand = async (lane: Lane) => {
    await demandVersions(lane)
    const apart = await versionsApart(lane.target)
    if (apart > 0) throw new Divergence(`${apart} versions do not end where the next one of their code begins`)
  }
  return {
    name: 'timeline',
    shape: { load: 'timeline', partitionRows: 15 },
    begin: (lane) => written.begin(lane),
    prepare: (lane, round) => written.prepare(lane, round),
    checkKilled: demand,
    async check(lane) {
      await written.demand(lane, 'version')
      await demand(lane)
    },
  }
}

async function demandVersions(lane: Lane): Promise<void> {
  const broken = await brokenVersions(lane.target)
  if (broken > 0) throw new Divergence(`${broken} versions hold at the same time, or say two things of their end`)
}

/** Rows that the target has lost come back; `last_run` stays. */
function backfilling(): KindOfRun {
  let from = ''
  let lastRun: string | null = null
  const demandLastRun = async (lane: Lane) => {
    if ((await lane.lastRun()) !== lastRun)
      throw new Divergence(`last_run went from ${lastRun} to ${await lane.lastRun()}`)
  }
  return {
    name: 'backfill',
    shape: { partitionRows: 20 },
    async begin(lane) {
      from = await clockOf(lane.source)
      await lane.recover(await changeRows(lane, 0))
      lastRun = await lane.lastRun()
    },
    async prepare(lane, round) {
      await lane.target.run(`delete from product where source_id % 3 = ${round % 3}`)
      return { backfill: { from, to: await clockOf(lane.source), chunk: '1d' } }
    },
    checkKilled: demandLastRun,
    async check(lane) {
      await demandLastRun(lane)
      await demandSource(lane)
    },
  }
}

/** A run that has landed one of its partitions is gone on with, by a run that is killed in its turn. */
function resuming(): KindOfRun {
  let first = ''
  let before: ReadonlySet<string> = new Set()
  return {
    name: 'resume',
    shape: { partitionRows: 15, concurrency: 1 },
    begin: firstRun,
    async prepare(lane, round) {
      await changeRows(lane, round)
      before = new Set(await landingRuns(lane.target))
      first = lane.nextRunId()
      const { status } = await lane.run({
        runId: first,
        before(step, payload) {
          if (step === 'ItemsLoad' && (payload as { partition: number }).partition === 1)
            throw Object.assign(new Error('stopped by the test'), { name: 'Terminal' })
        },
      })
      if (status !== 'FAILED') throw new Error(`the run that is to be resumed ended ${status}`)
      return { resume: first }
    },
    async check(lane) {
      await demandSource(lane)
      const since = (await landingRuns(lane.target)).filter((run) => !before.has(run))
      if (since.join() !== first)
        throw new Divergence(`partitions have landed as of ${since.join(', ')}, not ${first} alone`)
    },
  }
}

/** Rows that were rejected are sent again once they are taken; those that have changed since stay as they are. */
function replaying(): KindOfRun {
  return {
    name: 'replay',
    shape: { partitionRows: PARTITION_ROWS, isRepaired: true },
    begin: firstRun,
    async prepare(lane, round) {
      const asItWas = lane.pipelineOf({ isRepaired: false })
      await changeRows(lane, round)
      await touch(lane, `label = null where id % 13 = ${round % 13}`)
      await lane.run({ pipeline: asItWas })
      await touch(lane, `label = 'newer ${round}' where id % 26 = ${round % 13}`)
      const { status } = await lane.run({ pipeline: asItWas })
      if (status !== 'SUCCEEDED') throw new Error(`the run before the replay ended ${status}`)
      return { replay: {} }
    },
    async check(lane) {
      await demandSource(lane, true)
      if (await isAnyOpen(lane)) throw new Divergence('a row was not replayed')
    },
  }
}

/** Rows are told to have changed by the one stamp or by the other. */
function readingTwoStamps(): KindOfRun {
  return {
    name: 'first of two stamps',
    shape: { cursor: 'first of two stamps', partitionRows: PARTITION_ROWS },
    begin: firstRun,
    async prepare(lane, round) {
      await changeRows(lane, round)
      await lane.source.run('update item set moved_at = null where moved_at < changed_at')
      const now = lane.source.engine === 'postgres' ? 'clock_timestamp()' : 'now(6)'
      await lane.source.run(
        `update item set moved_at = ${now}, note = 'moved ${round}' where id % 7 = ${round % 7} and ${isGood}`,
      )
      return null
    },
    check: (lane) => demandSource(lane),
  }
}

/** What has changed of a join, by its cursor. */
function readingQuery(): KindOfRun {
  return {
    name: 'query since',
    shape: { from: 'query', partitionRows: PARTITION_ROWS },
    begin: firstRun,
    async prepare(lane, round) {
      await changeRows(lane, round)
      return null
    },
    check: (lane) => demandSource(lane),
  }
}

/** New rows of each round, by their numbers, which are appended once each. */
function counting(): KindOfRun {
  const written = new Map<string, string>()
  let last = 0
  const write = async (lane: Lane, round: number) => {
    const since = await clockOf(lane.source)
    const from = 301 + round * 60
    last = from + 59
    await writeRows(lane.source, { from, to: last, ownCodes: true }, round)
    for (const digest of await dueSince(lane.source, since)) written.set(digest, '1')
  }
  const readAll = async (lane: Lane) => {
    for (let attempt = 1; Number((await lane.lastRun()) ?? 0) <= last; attempt++) {
      const { status, reasons } = await lane.run()
      if (status !== 'SUCCEEDED' || attempt > 10)
        throw new Divergence(`last_run is ${await lane.lastRun()}: ${reasons.join('; ')}`)
    }
  }
  return {
    name: 'counter',
    shape: { cursor: 'counter', load: 'append', partitionRows: 15 },
    async begin(lane) {
      await write(lane, 0)
      await readAll(lane)
    },
    async prepare(lane, round) {
      await write(lane, round)
      return null
    },
    async check(lane) {
      await readAll(lane)
      const found = await timesLanded(lane.target, 'event')
      demandSame(
        new Map([...found].map(([row, times]) => [row, String(times)])),
        written,
        'rows, by how often they are there',
      )
    },
  }
}

/** New rows of each round come with a stamp of years ago. */
function comingLate(): KindOfRun {
  return {
    name: 'late rows',
    shape: { cursor: 'late rows', partitionRows: PARTITION_ROWS },
    begin: firstRun,
    async prepare(lane, round) {
      const from = 500 + round * 40
      await writeRows(lane.source, { from, to: from + 39, ownCodes: true }, round)
      await lane.source.run(`update item set changed_at = '2020-01-01 00:00:00' where id >= ${from}`)
      await changeRows(lane, round)
      return null
    },
    check: (lane) => demandSource(lane),
  }
}

/** Rows that were rejected are tried again by the next usual run, which takes them. */
function tryingAgain(): KindOfRun {
  return {
    name: 'retry',
    shape: { partitionRows: PARTITION_ROWS, isRepaired: true, retry: 3 },
    begin: firstRun,
    async prepare(lane, round) {
      const asItWas = lane.pipelineOf({ isRepaired: false })
      await changeRows(lane, round)
      await touch(lane, `label = null where id % 13 = ${round % 13}`)
      await new Promise((resolve) => setTimeout(resolve, SETTLED_MS))
      const { status } = await lane.run({ pipeline: asItWas })
      if (status !== 'SUCCEEDED') throw new Error(`the run before the one that tries again ended ${status}`)
      if (!(await isAnyOpen(lane))) throw new Error('the run before the one that tries again has quarantined nothing')
      await changeRows(lane, round + 1)
      return null
    },
    async check(lane) {
      const stamp = await clockOf(lane.source)
      for (let runs = 1; ((await lane.lastRun()) ?? '') < stamp; runs++) {
        const { status } = await lane.run()
        if (status !== 'SUCCEEDED' || runs > 10) throw new Divergence(`a run after the fault ended ${status}`)
      }
      await demandSource(lane, true)
      if (await isAnyOpen(lane)) throw new Divergence('a row was not tried again')
    },
  }
}

async function isAnyOpen(lane: Lane): Promise<boolean> {
  for await (const { record, errors } of quarantinedRows(lane.staging, PIPELINE)) {
    if (record === null && errors[0]?.code === 'missing') return true
  }
  return false
}

/** Changes rows that are neither left out nor refused. */
async function touch({ source }: Lane, change: string): Promise<void> {
  const now = source.engine === 'postgres' ? 'clock_timestamp()' : 'now(6)'
  await source.run(`update item set changed_at = ${now}, ${change} and ${isGood}`)
}

export const kindsOfRuns: readonly (() => KindOfRun)[] = [
  replacing,
  () => deleting('deletes'),
  () => deleting('deletes', 'deletes of a part', { below: BELOW }),
  () => deleting('deletes', 'view', { from: 'view' }),
  () => deleting('told'),
  leaving,
  sharing,
  following,
  appending,
  loadingParts,
  keepingHistory,
  keepingTimeline,
  backfilling,
  resuming,
  replaying,
  readingTwoStamps,
  counting,
  comingLate,
  tryingAgain,
  updatingOnly,
  () => deleting('deletes', 'query', { from: 'query' }),
  readingQuery,
]
