import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { projectFolder } from 'dray-infra/internal/project/project-folder.ts'
import { startDray } from '#test/cli/dray-process.ts'
import { clone, overlay } from '#test/projects/clone.ts'
import { type Curve, type Point, writePlot } from './growth-plot.ts'
import { progress, type Result, rounded } from './measure.ts'
import { fillSales, type SalesDatabase, salesDatabase, sumOfSales } from './peers/sales.ts'
import { draySales } from './peers/sales-tools.ts'
import { runWhole, type WholeCommand } from './peers/whole-command.ts'

/* What a run takes as rows, pipelines and partitions become more: whole commands, PostgreSQL to PostgreSQL. */

const ROWS = [10_000, 100_000, 1_000_000, 10_000_000]
const PIPELINES = [1, 10, 100, 300]
const ROWS_OF_EACH = 1_000
const USUAL_PARTITION = 50_000
const PARTITIONS = [1, 50, 600]
const ROWS_IN_PARTITIONS = 600_000

/** `npm run bench -- --only growth`; `--rows` says the greatest table. UPDATE_DOCS=1 draws docs/images/growth.svg. */
export async function growth(most: number): Promise<Result[]> {
  const curves = [await overRows(most), await overPipelines(), await overPartitions(Math.min(most, ROWS_IN_PARTITIONS))]
  if (process.env.UPDATE_DOCS === '1') await writePlot(curves)
  return curves.flatMap(({ name, points }) => points.map((point) => resultOf(name, point)))
}

async function overRows(most: number): Promise<Curve> {
  const points: Point[] = []
  for (const rows of ROWS.filter((one) => one <= most)) {
    const source = await open()
    progress(`filling ${rows} rows`)
    await fillSales(source, rows)
    points.push({ ...(await loaded(source, USUAL_PARTITION)), at: rows })
    await source.close()
  }
  return { name: 'rows of one table', points }
}

async function overPartitions(rows: number): Promise<Curve> {
  const source = await open()
  progress(`filling ${rows} rows`)
  await fillSales(source, rows)
  const points: Point[] = []
  for (const partitions of PARTITIONS) {
    points.push({ ...(await loaded(source, Math.ceil(rows / partitions))), at: partitions })
  }
  await source.close()
  return { name: `partitions of ${rows} rows`, points }
}

/** An empty target is loaded, in partitions of so many rows. */
async function loaded(source: SalesDatabase, partitionRows: number): Promise<Omit<Point, 'at'>> {
  const tool = await draySales(source.url)
  const target = await open()
  const folder = await mkdtemp(join(tmpdir(), 'dray-growth-'))
  try {
    await tool.cutInto(partitionRows)
    const command = (await tool.command({ source: source.url, target: target.url, folder }, 'full')) as WholeCommand
    const point = await measured(command, folder, 'sale')
    if ((await sumOfSales(source, 'sale')) !== (await sumOfSales(target, 'sale')))
      throw new Error('other rows are there')
    return point
  } finally {
    await Promise.all([target.close(), tool.close()])
    await rm(folder, { recursive: true, force: true })
  }
}

async function overPipelines(): Promise<Curve> {
  const project = await clone()
  await overlay(project, 'raw')
  await symlink(join(projectFolder, 'node_modules'), join(project, 'node_modules'))
  const points: Point[] = []
  try {
    for (const tables of PIPELINES) {
      const [source, target] = [await open(), await open()]
      const folder = await mkdtemp(join(tmpdir(), 'dray-growth-'))
      for (let table = 1; table <= tables; table++) {
        await source.run(
          `create table t_${table} (id bigint primary key, name text, updated_at timestamptz not null);
           insert into t_${table} select i, 'name ' || i, timestamptz '2025-01-01Z' + i * interval '1 second' from generate_series(1, ${ROWS_OF_EACH}) as i;
           create index on t_${table} (updated_at)`,
        )
      }
      await source.settle()
      const command = {
        line: `cd ${project} && node_modules/.bin/dray run raw --progress none`,
        environment: { SALES_DATABASE_URL: source.url, WAREHOUSE_DATABASE_URL: target.url, DRAY_HOME: folder },
      }
      points.push({ ...(await measured(command, folder, 'shop-raw')), at: tables })
      for (let table = 1; table <= tables; table++) {
        const rows = await target.value(`select count(*) from raw.t_${table}`)
        if (Number(rows) !== ROWS_OF_EACH) throw new Error(`raw.t_${table} has ${rows} rows`)
      }
      await Promise.all([source.close(), target.close()])
      await rm(folder, { recursive: true, force: true })
    }
  } finally {
    await rm(project, { recursive: true, force: true })
  }
  return { name: `tables of ${ROWS_OF_EACH} rows`, points }
}

async function open(): Promise<SalesDatabase> {
  return (await salesDatabase('PostgreSQL')) as SalesDatabase
}

async function measured(command: WholeCommand, folder: string, pipeline: string): Promise<Omit<Point, 'at'>> {
  const cwd = /^cd (\S+)/.exec(command.line)?.[1] as string
  const plan = await startDray(folder, ['plan', pipeline, '--json'], command.environment, cwd).ended
  if (plan.code !== 0) throw new Error(plan.stderr)
  const { us_dollars: usDollars } = JSON.parse(plan.stdout).on_aws
  const taken = await runWhole('dray', command, folder)
  progress(
    `  ${taken.wall} s, ${rounded(taken.processor)} s of processors, ${taken.memory} MB, ${usDollars} US dollars`,
  )
  return { ...taken, usDollars }
}

function resultOf(name: string, { at, wall, processor, memory, usDollars }: Point): Result {
  return {
    name: `${name}: ${at.toLocaleString('en')}`,
    value: rounded(wall),
    unit: 's',
    baseline: null,
    ratio: null,
    goal: null,
    better: 'less',
    ok: null,
    spread: null,
    note: `${rounded(processor)} s of processors, ${memory} MB; on AWS ${rounded(usDollars)} US dollars by formula`,
  }
}
