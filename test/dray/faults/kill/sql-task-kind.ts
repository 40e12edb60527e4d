import type { RunMode } from 'dray/internal/messages/run-mode.ts'
import { runTask } from 'dray/internal/pipeline/stages/run-task.ts'
import type { StepRecord } from 'dray/internal/state/state-store.ts'
import { runReference } from '#test/pipeline/harness.ts'
import { type Observer, speechOf } from './engines.ts'
import type { KindOfRun } from './kinds.ts'
import { Divergence, type Lane } from './lane.ts'
import { rowsByText, writeRows } from './rows.ts'
import { servicesOf } from './run-here.ts'
import { SHELF, VERSION } from './sql-task-models.ts'

type Totals = ReadonlyMap<string, string>

/** What each task keeps, and what the database's own SELECT makes of the same rows. */
const TASKS = [
  { name: 'of-version', table: 'of_version', key: 'version', of: VERSION },
  { name: 'of-shelf', table: 'of_shelf', key: 'shelf', of: SHELF },
] as const
type Task = (typeof TASKS)[number]

/** Tasks behind a pipeline whose target they read: what they keep is the SELECT of some time, whole. */
export function runningSqlTasks(): KindOfRun {
  let before: readonly Totals[] = []
  return {
    name: 'tasks that are SQL',
    shape: { load: 'dated', partitionRows: 60 },
    phases: [/^Plan: state-entered/, /^of-version: run: state-entered/, /^of-shelf: run: state-entered/],
    async begin(lane) {
      await createDated(lane.target)
      await changeRows(lane, 0)
      const { status, reasons } = await lane.run()
      if (status !== 'SUCCEEDED') throw new Error(`the first run ended ${status}: ${reasons.join('; ')}`)
    },
    async prepare(lane, round) {
      before = await Promise.all(TASKS.map((task) => kept(lane.target, task)))
      await changeRows(lane, round)
      return null
    },
    async checkKilled(lane) {
      for (const [place, task] of TASKS.entries()) {
        const [found, due] = [await kept(lane.target, task), await selected(lane.target, task)]
        if (differenceOf(found, before[place] as Totals) !== null) demandSame(task, found, due)
      }
      await checkUntilLastRun(lane)
    },
    async check(lane) {
      await checkTotals(lane)
      await checkUntilLastRun(lane)
      await checkSecondDelivery(lane)
      await checkTotals(lane)
    },
  }
}

async function createDated(target: Observer): Promise<void> {
  const { instant } = speechOf(target)
  await target.run(
    `create table dated (code varchar(40) primary key, label varchar(60) not null, amount decimal(18, 4) not null, note text, source_id bigint not null, changed_at ${instant} not null, loaded_at ${instant} not null, check (amount >= 0))`,
  )
}

async function changeRows(lane: Lane, round: number): Promise<void> {
  const every = round === 0 ? 1 : 4
  await writeRows(lane.source, { from: 301, to: 420, ownCodes: true, every, place: round }, round)
}

function kept(target: Observer, { table, key }: Task): Promise<Totals> {
  return totals(target, key, `select ${key}, products, amount from ${table}`)
}

function selected(target: Observer, { key, of }: Task, having = ''): Promise<Totals> {
  return totals(
    target,
    key,
    `select ${of} as ${key}, count(*) as products, sum(amount) as amount from dated group by ${of}${having}`,
  )
}

async function totals(target: Observer, key: string, query: string): Promise<Totals> {
  const { text } = speechOf(target)
  const value = `concat_ws('|', ${text('products')}, ${text('cast(amount as decimal(30, 4))')})`
  return rowsByText(target, `select ${text(key)}, ${value} from (${query}) as t`)
}

function differenceOf(found: Totals, due: Totals): string | null {
  return [...found.keys(), ...due.keys()].find((key) => found.get(key) !== due.get(key)) ?? null
}

function demandSame({ table, key: name }: Task, found: Totals, due: Totals): void {
  const key = differenceOf(found, due)
  if (key === null) return
  throw new Divergence(
    `${table} is not what its SELECT gives: ${name} ${key} is ${found.get(key)}, not ${due.get(key)}`,
  )
}

async function checkTotals(lane: Lane): Promise<void> {
  for (const task of TASKS) demandSame(task, await kept(lane.target, task), await selected(lane.target, task))
}

/** Where everything has landed before `last_run`, the task has read it. */
async function checkUntilLastRun(lane: Lane): Promise<void> {
  const [, task] = TASKS
  const lastRun = await lane.lastRun(task.name)
  if (lastRun === null) throw new Divergence(`${task.name} has no last_run any more`)
  const found = await kept(lane.target, task)
  const isBefore = ` having max(loaded_at) < ${speechOf(lane.target).literal(lastRun)}`
  for (const [key, due] of await selected(lane.target, task, isBefore)) {
    if (found.get(key) === due) continue
    throw new Divergence(
      `last_run of ${task.name} is ${lastRun}, and ${task.key} ${key} is ${found.get(key)}, not ${due}`,
    )
  }
}

/** The reply of the last run's task may be lost, so that it is delivered once more. */
async function checkSecondDelivery(lane: Lane): Promise<void> {
  const [last] = await lane.state.runs({ limit: 1 })
  if (last === undefined) throw new Divergence('no run is known')
  const mode = last.mode === null ? null : (JSON.parse(last.mode) as RunMode)
  const recorded = async (name: string) => {
    const step = (await lane.state.run(last.id))?.steps.find(({ step }) => step === name)
    if (step === undefined) throw new Divergence(`${last.id} has succeeded, and has no record of ${name}`)
    return countsOf(step)
  }
  for (const task of lane.pipeline.tasks) {
    const { name } = task
    const counts = await recorded(name)
    const services = servicesOf(lane, AbortSignal.timeout(60_000))
    await runTask(task, { run: runReference(last.id), task: name, mode }, services)
    const again = await recorded(name)
    if (again !== counts) throw new Divergence(`${name} counted ${counts}, and ${again} at a second delivery`)
  }
}

function countsOf({ read, inserted, updated, unchanged, deleted }: StepRecord): string {
  if (read !== inserted + updated + unchanged)
    throw new Divergence(`${read} rows were read; ${inserted}, ${updated} and ${unchanged} were written or left alone`)
  return [read, inserted, updated, unchanged, deleted].join(', ')
}
