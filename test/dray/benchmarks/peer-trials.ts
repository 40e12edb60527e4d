import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { projectFolder } from 'dray-infra/internal/project/project-folder.ts'
import { Client } from 'pg'
import { postgresServer, stopServers } from './databases.ts'
import { progress } from './measure.ts'
import { peerPackages } from './peers/packages.ts'
import { dltTool, drayTool, slingTool, type TrialTool } from './peers/trial-tools.ts'
import { type Trial, trials } from './peers/trials.ts'

/*
 * `npx node24 --disable-warning=ExperimentalWarning test/dray/benchmarks/peer-trials.ts`: what Dray, Sling and dlt make
 * of the same changes of one table, PostgreSQL to PostgreSQL; whole commands, contents compared by SQL. With
 * UPDATE_DOCS=1 the table is written into docs/comparison.md.
 */

const TABLE =
  'create table trial (id bigint primary key, name text, amount numeric(40, 20), updated_at timestamptz not null); create index on trial (updated_at)'
const PAGE = join(projectFolder, 'docs/comparison.md')
const BEGIN = '| what happens |'

/** Longer than any tool's lag, in ms. */
const SETTLED = 3_500

/** A part of a trial's name; all of them where nothing is said. */
const [only = ''] = process.argv.slice(2)

process.exitCode = await main()

async function main(): Promise<number> {
  const packages = await peerPackages()
  const server = await postgresServer()
  const first = await opened(await server.createDatabase())
  await first.query(TABLE)
  const dray = await drayTool(first.url)
  await first.end()
  const tools = [dray, ...(packages === null ? [] : [slingTool(packages), dltTool(packages)])]
  const rows: string[] = []
  try {
    for (const trial of trials.filter(({ name }) => name.includes(only))) {
      const cells: string[] = []
      for (const tool of tools) cells.push(await tried(trial, tool))
      rows.push(`| ${trial.name} | ${cells.join(' | ')} |`)
      progress(rows.at(-1) as string)
    }
  } finally {
    await dray.close?.()
    await stopServers()
  }
  const header = `${BEGIN} ${tools.map(({ name }) => name).join(' | ')} |\n|---|${tools.map(() => '---|').join('')}`
  const table = `${header}\n${rows.join('\n')}\n`
  process.stdout.write(table)
  if (process.env.UPDATE_DOCS === '1' && packages !== null && only === '') {
    const page = await readFile(PAGE, 'utf8')
    const from = page.indexOf(BEGIN)
    await writeFile(PAGE, page.slice(0, from) + table + page.slice(page.indexOf('\n\n', from) + 1))
  }
  return 0
}

type Opened = Client & { readonly url: string }

async function opened(url: string): Promise<Opened> {
  const client = Object.assign(new Client({ connectionString: url }), { url })
  await client.connect()
  return client
}

/** What has come of it, in a few words. */
async function tried(trial: Trial, tool: TrialTool): Promise<string> {
  const server = await postgresServer()
  const folder = await mkdtemp(join(tmpdir(), 'dray-trial-'))
  await chmod(folder, 0o755)
  const [source, target] = [await opened(await server.createDatabase()), await opened(await server.createDatabase())]
  const codes: number[] = []
  try {
    await source.query(TABLE)
    const command = await tool.command({ source: source.url, target: target.url, folder }, trial.deletes ?? false)
    if (typeof command === 'string') return command
    const one = () => run(command, folder)
    const load = async () => {
      await setTimeout(SETTLED)
      codes.push(await one())
      return codes.at(-1) as number
    }
    const loadTwice = async () => {
      await setTimeout(SETTLED)
      codes.push(...(await Promise.all([one(), one()])).sort())
      return codes
    }
    await trial.act({ source, target, table: tool.table, load, loadTwice })
    if (trial.rewritten) return await rewritten(target, tool.table, load)
    const said =
      trial.added === undefined
        ? await difference(source, target, tool.table, trial.expected ?? '')
        : await found(target, tool.table, trial.added)
    const failed = codes.filter((code) => code !== 0)
    return failed.length === 0 ? said : `${said}; exit ${failed.join(', ')}`
  } finally {
    await Promise.all([source.end(), target.end()])
    await rm(folder, { recursive: true, force: true })
  }
}

async function run(command: { line: string; environment: NodeJS.ProcessEnv }, folder: string): Promise<number> {
  const child = spawn('bash', ['-c', `{ ${command.line}; } >>${join(folder, 'printed')} 2>&1`], {
    env: { ...process.env, ...command.environment },
    stdio: 'ignore',
  })
  const [code] = (await once(child, 'close')) as [number]
  if (code !== 0) progress((await readFile(join(folder, 'printed'), 'utf8')).trim().split('\n').slice(-3).join('\n'))
  return code
}

async function difference(source: Client, target: Client, table: string, where: string): Promise<string> {
  const rowsOf = async (client: Client, from: string) => {
    const { rows } = await client.query({
      text: `select id::text, concat_ws('|', coalesce(name, '<null>'), coalesce(trim_scale(amount)::text, '<null>'), extract(epoch from updated_at)) from ${from}`,
      rowMode: 'array',
    })
    return rows as [string, string][]
  }
  const wanted = new Map(await rowsOf(source, `trial ${where}`))
  const all = new Set((await rowsOf(source, 'trial')).map(([id]) => id))
  const found = await rowsOf(target, table)
  const missing = [...wanted.keys()].filter((id) => !found.some(([other]) => other === id)).length
  const extra = found.filter(([id]) => !all.has(id)).length
  const twice = found.length - new Set(found.map(([id]) => id)).size
  const other = found.filter(([id, text]) => wanted.has(id) && wanted.get(id) !== text).length
  const parts = [
    [missing, 'missing'],
    [extra, 'that the source has no longer'],
    [twice, 'twice'],
    [other, 'with other values'],
  ].filter(([count]) => count !== 0)
  return parts.length === 0 ? 'as the source' : parts.map(([count, what]) => `**${count} ${what}**`).join(', ')
}

async function found(target: Client, table: string, column: string): Promise<string> {
  const values = await target.query(`select count(${column})::int as n from ${table}`).catch(() => null)
  return values?.rows[0].n === 1 ? 'as the source' : '**left out**'
}

async function rewritten(target: Client, table: string, load: () => Promise<number>): Promise<string> {
  const versions = async () => (await target.query(`select id::text, xmin::text as v from ${table} order by id`)).rows
  const before = await versions()
  await load()
  const after = await versions()
  const count = after.filter(({ v }, place) => v !== before[place]?.v).length
  return count === 0 ? 'none' : `${count} of ${after.length}`
}
