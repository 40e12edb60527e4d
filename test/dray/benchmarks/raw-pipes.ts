import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Client } from 'pg'
import { from, to } from 'pg-copy-streams'

/* What the databases' own programs do with a table when nothing stands between them. */

const COLUMNS = 'order_id, customer_id, order_date, amount, status, note, last_updated'
const OTHERS = COLUMNS.split(', ').slice(1)
const UPSERT = `INSERT INTO orders_target SELECT * FROM staged
  ON CONFLICT (order_id) DO UPDATE SET ${OTHERS.map((name) => `${name} = excluded.${name}`).join(', ')}`

function has(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0
}

/** Whether psql is on the path; without it, two sessions of pg-copy-streams take its place. */
export const hasPsql = has('psql')
/** The client of MariaDB or MySQL, or null. */
export const mysqlProgram = ['mariadb', 'mysql'].find(has) ?? null
/** Debian's package pgloader. */
export const hasPgloader = has('pgloader')

/** `COPY … TO` into `COPY … FROM`, into a table with its primary key. */
export async function copyAcross(source: string, target: string): Promise<void> {
  if (!hasPsql) return copyStreams(source, target, ['COPY orders_target FROM STDIN'])
  await shell('psql "$SOURCE" -qc "COPY orders TO STDOUT" | psql "$TARGET" -qc "COPY orders_target FROM STDIN"', {
    SOURCE: source,
    TARGET: target,
  })
}

/** `COPY … TO` into a temporary table, then INSERT … ON CONFLICT. */
export async function copyAndUpsert(source: string, target: string): Promise<void> {
  const before = 'CREATE TEMPORARY TABLE staged (LIKE orders_target)'
  const copy = 'COPY staged FROM STDIN'
  if (!hasPsql) return copyStreams(source, target, [before, copy, UPSERT])
  await shell('psql "$SOURCE" -qc "COPY orders TO STDOUT" | psql "$TARGET" -q -c "$BEFORE" -c "$COPY" -c "$UPSERT"', {
    SOURCE: source,
    TARGET: target,
    BEFORE: before,
    COPY: copy,
    UPSERT,
  })
}

/** `COPY … TO` into LOAD DATA LOCAL. */
export async function postgresToMysql(source: string, target: string): Promise<void> {
  const select = `SELECT ${COLUMNS.replace('last_updated', "last_updated AT TIME ZONE 'UTC'")} FROM orders`
  await shell(`psql "$SOURCE" -qc "COPY ($SELECT) TO STDOUT" | ${mysqlClient(target)} --local-infile=1 -e "$LOAD"`, {
    SOURCE: source,
    SELECT: select,
    LOAD: `LOAD DATA LOCAL INFILE '/dev/stdin' INTO TABLE orders_target CHARACTER SET utf8mb4 (${COLUMNS})`,
    MYSQL_PWD: decodeURIComponent(new URL(target).password),
  })
}

/** A SELECT in batch mode into `COPY … FROM`. */
export async function mysqlToPostgres(source: string, target: string): Promise<void> {
  const client = `${mysqlClient(source)} --batch --quick --skip-column-names --default-character-set=utf8mb4`
  await shell(`${client} -e "SELECT ${COLUMNS} FROM orders" | psql "$TARGET" -qc "$COPY"`, {
    TARGET: target,
    COPY: "COPY orders_target FROM STDIN WITH (NULL 'NULL')",
    MYSQL_PWD: decodeURIComponent(new URL(source).password),
  })
}

/** The rows of MariaDB by pgloader; returns the megabytes that it had resident at most. */
export async function pgloader(source: string, target: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'dray-bench-pgloader-'))
  try {
    const commands = join(folder, 'orders.load')
    await writeFile(
      commands,
      `LOAD DATABASE FROM ${source} INTO ${target}
        WITH data only, no foreign keys
        INCLUDING ONLY TABLE NAMES MATCHING 'orders'
        ALTER SCHEMA '${new URL(source).pathname.slice(1)}' RENAME TO 'public'
        ALTER TABLE NAMES MATCHING 'orders' RENAME TO 'orders_target';`,
      { mode: 0o600 },
    )
    const child = spawn('pgloader', ['--root-dir', folder, commands], { stdio: 'ignore' })
    let kilobytes = 0
    const look = setInterval(async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '')
      kilobytes = Math.max(kilobytes, Number(/VmHWM:\s*(\d+)/.exec(status)?.[1] ?? 0))
    }, 20)
    const [code] = await once(child, 'exit').finally(() => clearInterval(look))
    if (code !== 0) throw new Error(`pgloader ended with ${code}`)
    return Math.round(kilobytes / 1024)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function mysqlClient(url: string): string {
  const { hostname, port, username, pathname } = new URL(url)
  return `${mysqlProgram} --no-defaults --host=${hostname} --port=${port} --user=${username} --database=${pathname.slice(1)}`
}

async function shell(script: string, environment: Readonly<Record<string, string>>): Promise<void> {
  const child = spawn('sh', ['-c', script], {
    stdio: ['ignore', 'ignore', 2],
    env: { ...process.env, PGTZ: 'UTC', ...environment },
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`a pipe of the databases' own programs ended with ${code}: ${script}`)
}

async function copyStreams(source: string, target: string, statements: readonly string[]): Promise<void> {
  const [reader, writer] = [source, target].map((connectionString) => new Client({ connectionString }))
  if (!reader || !writer) return
  await Promise.all([reader.connect(), writer.connect()])
  try {
    for (const statement of statements) {
      if (!statement.startsWith('COPY')) await writer.query(statement)
      else await pipeline(reader.query(to('COPY orders TO STDOUT')), writer.query(from(statement)))
    }
  } finally {
    await Promise.all([reader.end(), writer.end()])
  }
}
