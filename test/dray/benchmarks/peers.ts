import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { projectFolder } from 'dray-infra/internal/project/project-folder.ts'
import { Client } from 'pg'
import { clone, overlay } from '#test/projects/clone.ts'
import { postgresServer } from './databases.ts'
import { medianOf, progress, type Result, rounded } from './measure.ts'
import { type Pair, peerSales } from './peer-sales.ts'
import { peerPackages } from './peers/packages.ts'
import { runWhole, type Taken, type WholeCommand } from './peers/whole-command.ts'

/** A database of many tables, replicated by one declaration of each tool; whole commands, one after the other. */
interface Lane {
  readonly name: string
  readonly tables: number
  readonly rows: number
}

const LANES: readonly Lane[] = [
  { name: '100 tables of 1,000 rows', tables: 100, rows: 1_000 },
  { name: '20 tables of 100,000 rows', tables: 20, rows: 100_000 },
]
const ROUNDS = 2
/** Half of the time of the quickest of the others. */
const GOAL = 2

interface Tool {
  readonly name: string
  /** The command that replicates a source into a target, and whatever else it needs set. */
  command(place: Place): WholeCommand
}

interface Place {
  readonly source: string
  readonly target: string
  /** Its own, empty before the first run. */
  readonly folder: string
}

const PAIRS: readonly Pair[] = [
  ['PostgreSQL', 'PostgreSQL'],
  ['MariaDB', 'PostgreSQL'],
]
const OTHER_PAIRS: readonly Pair[] = [
  ['MySQL', 'PostgreSQL'],
  ['PostgreSQL', 'MariaDB'],
]

/** `npm run bench -- --only peers-mysql`: the same large table from MySQL, and into MariaDB. */
export async function peersOfMysql(rows: number): Promise<Result[]> {
  return peerSales(OTHER_PAIRS, await peerPackages(), rows)
}

/** `npm run bench -- --only peers`: one large table and many small ones beside Sling, dlt and the servers' programs. */
export async function peers(rows: number): Promise<Result[]> {
  const packages = await peerPackages()
  const project = await rawProject()
  try {
    const tools = [dray(project), ...(packages === null ? [] : [sling(packages), dlt(packages)])]
    const results = await peerSales(PAIRS, packages, rows)
    for (const lane of LANES) results.push(...(await measured(lane, tools)))
    return results
  } finally {
    await rm(project, { recursive: true, force: true })
  }
}

async function rawProject(): Promise<string> {
  const folder = await clone()
  await overlay(folder, 'raw')
  await symlink(join(projectFolder, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

function dray(project: string): Tool {
  return {
    name: 'dray',
    command: ({ source, target, folder }) => ({
      line: `cd ${project} && npx --no-install dray run raw --progress none`,
      environment: { SALES_DATABASE_URL: source, WAREHOUSE_DATABASE_URL: target, DRAY_HOME: folder },
    }),
  }
}

function sling(packages: string): Tool {
  return {
    name: 'sling',
    command: ({ source, target, folder }) => ({
      line: `${packages}/sling_linux_amd64/bin/sling-linux-amd64 run -r ${join(folder, 'tables.json')}`,
      environment: { SOURCE: `${source}?sslmode=disable`, TARGET: `${target}?sslmode=disable`, SLING_HOME_DIR: folder },
    }),
  }
}

const SLING = {
  source: 'SOURCE',
  target: 'TARGET',
  defaults: { mode: 'incremental', object: 'raw.{stream_table}', primary_key: ['id'], update_key: 'updated_at' },
  streams: { 'public.*': null },
}

function dlt(packages: string): Tool {
  return {
    name: 'dlt',
    command: ({ source, target, folder }) => ({
      line: `python3 ${join(import.meta.dirname, 'peers/dlt_tables.py')}`,
      environment: {
        SOURCE: source,
        TARGET: target,
        FOLDER: folder,
        PYTHONPATH: packages,
        RUNTIME__DLTHUB_TELEMETRY: 'false',
      },
    }),
  }
}

async function measured(lane: Lane, tools: readonly Tool[]): Promise<Result[]> {
  const server = await postgresServer()
  const source = await server.createDatabase()
  await fill(source, lane)
  const taken = new Map(tools.map(({ name }) => [name, { first: [] as Taken[], again: [] as Taken[] }]))
  for (let round = 0; round < ROUNDS; round++) {
    const turn = round % tools.length
    for (const tool of [...tools.slice(turn), ...tools.slice(0, turn)]) {
      const place = {
        source,
        target: await server.createDatabase(),
        folder: await mkdtemp(join(tmpdir(), 'dray-peer-')),
      }
      await writeFile(join(place.folder, 'tables.json'), JSON.stringify(SLING))
      const of = taken.get(tool.name) as { first: Taken[]; again: Taken[] }
      of.first.push(await runWhole(tool.name, tool.command(place), place.folder))
      await compare(place, lane, tool)
      of.again.push(await runWhole(tool.name, tool.command(place), place.folder))
      await compare(place, lane, tool)
      progress(`  ${lane.name}, ${tool.name}: ${of.first.at(-1)?.wall} s first, ${of.again.at(-1)?.wall} s again`)
      await rm(place.folder, { recursive: true, force: true })
    }
  }
  return (['first', 'again'] as const).flatMap((time) => {
    const wallOf = (name: string) => (taken.get(name)?.[time] ?? []).map(({ wall }) => wall)
    const others = tools.slice(1).map(({ name }) => medianOf(wallOf(name)))
    return tools.map(({ name }): Result => {
      const value = medianOf(wallOf(name))
      const processor = medianOf((taken.get(name)?.[time] ?? []).map((one) => one.processor))
      const fastest = name === 'dray' && others.length > 0 ? Math.min(...others) : null
      const ratio = fastest === null ? null : rounded(fastest / value)
      const what = time === 'first' ? 'the first time' : 'again, nothing new'
      return {
        name: `${lane.name}, ${what}: ${name}`,
        value: rounded(value),
        unit: 's',
        baseline: fastest === null ? null : rounded(fastest),
        ratio,
        goal: ratio === null ? null : GOAL,
        better: 'more',
        ok: ratio === null ? null : ratio >= GOAL,
        spread: [rounded(Math.min(...wallOf(name))), rounded(Math.max(...wallOf(name)))],
        note: `${rounded(processor)} s of processors`,
      }
    })
  })
}

async function fill(url: string, { tables, rows }: Lane): Promise<void> {
  progress(`filling ${tables} tables of ${rows} rows`)
  const client = new Client({ connectionString: url })
  await client.connect()
  for (let table = 1; table <= tables; table++) {
    await client.query(
      `create table t_${table} (id bigint primary key, name varchar(50), amount numeric(12,2), status text, updated_at timestamptz not null);
       insert into t_${table} select i, 'name ' || i, i * 1.25, case i % 3 when 0 then 'paid' when 1 then 'open' end, '2025-01-01'::timestamptz + i * interval '1 second' from generate_series(1, ${rows}) i;
       create index on t_${table} (updated_at); analyze t_${table}`,
    )
  }
  await client.end()
}

/** Every table has the source's rows, by sums that both databases make. */
async function compare({ source, target }: Place, { tables }: Lane, { name }: Tool): Promise<void> {
  const sums = async (url: string, schema: string) => {
    const client = new Client({ connectionString: url })
    await client.connect()
    const found: string[] = []
    for (let table = 1; table <= tables; table++) {
      const { rows } = await client.query(
        `select count(*) || ' ' || sum(('x' || substr(md5(concat_ws('|', id, name, amount, status, extract(epoch from updated_at))), 1, 8))::bit(32)::bigint) as sum from ${schema}.t_${table}`,
      )
      found.push(rows[0].sum)
    }
    await client.end()
    return found.join()
  }
  if ((await sums(source, 'public')) !== (await sums(target, 'raw'))) throw new Error(`${name} has loaded other rows`)
}
