import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type SmallProject, smallProject } from '#test/add/small-project.ts'
import { hasPgloader, hasPsql, mysqlProgram } from '../raw-pipes.ts'
import type { Server } from './sales.ts'
import type { WholeCommand } from './whole-command.ts'

/** Whether a table is read whole each time, or what has changed of it. */
export type Way = 'full' | 'cursor'

export interface SalesPlace {
  readonly source: string
  readonly target: string
  /** What the tool keeps of its runs; empty before the first. */
  readonly folder: string
}

export interface SalesTool {
  readonly name: string
  /** Where the rows are in the target. */
  table(target: string): string
  /** The command; null where the tool has no such way. */
  command(place: SalesPlace, way: Way): Promise<WholeCommand | null>
  /** Whether another run replaces what is there without a look at it. */
  readonly isPipe: boolean
  close(): Promise<void>
}

const PIPELINE = 'functions/sale/pipeline.ts'
const nothing = async () => {}
const isMysql = (url: string) => url.startsWith('mysql')
const databaseOf = (url: string) => new URL(url).pathname.slice(1)

export interface DraySales extends SalesTool {
  /** A whole table is read in partitions of so many rows. */
  cutInto(partitionRows: number): Promise<void>
}

/** A project for each way, as `dray add` writes it. */
export async function draySales(source: string): Promise<DraySales> {
  const projects = new Map<Way, SmallProject>()
  for (const way of ['full', 'cursor'] as const) {
    const project = await smallProject()
    const urls = { SHOP_DATABASE_URL: source, LAKE_DATABASE_URL: `sqlite:${join(project.folder, 'none.db')}` }
    const { code, stderr } = await project.dray(['add', 'shop.sale', '--cursor', 'updated_at', '--yes'], urls)
    if (code !== 0) throw new Error(stderr)
    if (way === 'full') await readWhole(join(project.folder, PIPELINE))
    projects.set(way, project)
  }
  return {
    name: 'Dray',
    table: () => 'sale',
    async command({ source, target, folder }, way) {
      return {
        line: `cd ${projects.get(way)?.folder} && node_modules/.bin/dray run sale --progress none`,
        environment: { SHOP_DATABASE_URL: source, LAKE_DATABASE_URL: target, DRAY_HOME: folder },
      }
    },
    async cutInto(partitionRows) {
      const file = join(projects.get('full')?.folder as string, PIPELINE)
      const written = await readFile(file, 'utf8')
      await writeFile(
        file,
        written.replace(/fullLoad\((\w+)[^)]*\)/, `fullLoad($1, { partitionRows: ${partitionRows} })`),
      )
    },
    isPipe: false,
    close: async () => void (await Promise.all([...projects.values()].map((project) => project.remove()))),
  }
}

async function readWhole(file: string): Promise<void> {
  const written = await readFile(file, 'utf8')
  const whole = written
    .replace(/changedSince\((\w+), \{[^}]*\}\)/, 'fullLoad($1)')
    .replace('import { changedSince', 'import { fullLoad')
  if (whole === written) throw new Error(`${file} reads no cursor`)
  await writeFile(file, whole)
}

export function slingSales(packages: string): SalesTool {
  const secure = (url: string) => (isMysql(url) ? url : `${url}?sslmode=disable`)
  const table = (target: string) => (isMysql(target) ? `${databaseOf(target)}.sale` : 'raw.sale')
  return {
    name: 'Sling',
    table,
    async command({ source, target, folder }, way) {
      const file = join(folder, `${way}.json`)
      const stream =
        way === 'full'
          ? { mode: 'full-refresh', object: table(target) }
          : { mode: 'incremental', object: table(target), primary_key: ['id'], update_key: 'updated_at' }
      const from = isMysql(source) ? `${databaseOf(source)}.sale` : 'public.sale'
      await writeFile(file, JSON.stringify({ source: 'SOURCE', target: 'TARGET', streams: { [from]: stream } }))
      return {
        line: `${packages}/sling_linux_amd64/bin/sling-linux-amd64 run -r ${file}`,
        environment: { SOURCE: secure(source), TARGET: secure(target), SLING_HOME_DIR: folder },
      }
    },
    isPipe: false,
    close: nothing,
  }
}

/** It has no destination on MySQL but one through SQLAlchemy, which writes row by row. */
export function dltSales(packages: string): SalesTool {
  return {
    name: 'dlt',
    table: () => 'raw.sale',
    async command({ source, target, folder }, way) {
      if (isMysql(target)) return null
      return {
        line: `python3 ${join(import.meta.dirname, 'dlt_sales.py')}`,
        environment: {
          SOURCE: source,
          TARGET: target,
          FOLDER: folder,
          BY: way,
          PYTHONPATH: packages,
          RUNTIME__DLTHUB_TELEMETRY: 'false',
        },
      }
    },
    isPipe: false,
    close: nothing,
  }
}

/** Data alone, into a table that is there. */
export function pgloaderSales(): SalesTool {
  return {
    name: 'pgloader',
    table: () => 'sale',
    async command({ source, target, folder }, way) {
      if (!hasPgloader || way === 'cursor' || !isMysql(source) || isMysql(target)) return null
      const commands = join(folder, 'sale.load')
      await mkdir(folder, { recursive: true })
      await writeFile(
        commands,
        `LOAD DATABASE FROM ${source} INTO ${target}
          WITH data only, no foreign keys
          INCLUDING ONLY TABLE NAMES MATCHING 'sale'
          ALTER SCHEMA '${databaseOf(source)}' RENAME TO 'public';`,
        { mode: 0o600 },
      )
      return { line: `pgloader --root-dir ${folder} ${commands}`, environment: {} }
    },
    isPipe: true,
    close: nothing,
  }
}

const COLUMNS = 'id, customer_id, sold_on, amount, status, note, updated_at'

/** The databases' own programs, one into the other. */
export function pipeSales(): SalesTool {
  const client = (url: string) => {
    const { hostname, port, username } = new URL(url)
    return `${mysqlProgram} --no-defaults --host=${hostname} --port=${port} --user=${username} --database=${databaseOf(url)}`
  }
  return {
    name: 'raw pipe',
    table: () => 'sale',
    async command({ source, target }, way) {
      if (way === 'cursor' || !hasPsql || ((isMysql(source) || isMysql(target)) && mysqlProgram === null)) return null
      const out = isMysql(source)
        ? `${client(source)} --batch --quick --skip-column-names --default-character-set=utf8mb4 -e "SELECT ${COLUMNS} FROM sale"`
        : isMysql(target)
          ? `psql "$SOURCE" -qc "COPY (SELECT ${COLUMNS.replace('updated_at', "updated_at AT TIME ZONE 'UTC'")} FROM sale) TO STDOUT"`
          : 'psql "$SOURCE" -qc "COPY sale TO STDOUT"'
      const into = isMysql(target)
        ? `${client(target)} --local-infile=1 -e "LOAD DATA LOCAL INFILE '/dev/stdin' INTO TABLE sale CHARACTER SET utf8mb4 (${COLUMNS})"`
        : `psql "$TARGET" -qc "COPY sale FROM STDIN${isMysql(source) ? " WITH (NULL 'NULL')" : ''}"`
      const password = [source, target].find(isMysql)
      return {
        line: `${out} | ${into}`,
        environment: {
          SOURCE: source,
          TARGET: target,
          PGTZ: 'UTC',
          ...(password === undefined ? {} : { MYSQL_PWD: decodeURIComponent(new URL(password).password) }),
        },
      }
    },
    isPipe: true,
    close: nothing,
  }
}

/** The table that tools without a way to make one find. */
export function emptySales(server: Server): string {
  return server === 'PostgreSQL'
    ? 'create table sale (id bigint primary key, customer_id bigint not null, sold_on date not null, amount numeric(12,2) not null, status varchar(20) not null, note text, updated_at timestamptz not null)'
    : 'create table sale (id bigint primary key, customer_id bigint not null, sold_on date not null, amount decimal(12,2) not null, status varchar(20) not null, note text, updated_at datetime(6) not null)'
}
