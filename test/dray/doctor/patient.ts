import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Checked } from 'dray/internal/database/health.ts'
import { localStores } from 'dray-infra/internal/cli/environment.ts'
import type { Diagnosis } from 'dray-infra/internal/doctor/diagnosis.ts'
import { examineHere } from 'dray-infra/internal/doctor/doctor.ts'
import { readEnvFile } from 'dray-infra/internal/project/env-file.ts'
import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { fixtureFolder } from '#test/fixture-project.ts'
import { writeProject } from '#test/services/small-project.ts'

/** A project of one pipeline, `orders` from `src` to `dst`, that a run would find in order. */
export const healthy: Readonly<Record<string, string>> = {
  'infra/project.ts': `import { defineProject } from 'dray-infra'
import { nightly } from './nightly.ts'
export const project = defineProject({
  workflows: [nightly], environments: {}, databases: { src: { embedded: 'sqlite' }, dst: { embedded: 'sqlite' } }, main: nightly,
})`,
  'infra/nightly.ts': `import { cron, run, workflow } from 'dray/workflow'
import { orders } from '#functions/orders/pipeline.ts'
export const nightly = workflow('nightly', { steps: [run(orders)], schedule: cron('0 2 * * *', { timezone: 'UTC' }) })`,
  'shared/models/models.ts': `import { bigint, database, text, timestamp } from 'dray'
export const src = database('src')
export const dst = database('dst')
const fields = { id: bigint().primaryKey(), status: text().nullable(), lastUpdated: timestamp() }
export class Order extends src.source('orders', fields) {}
export class Fact extends dst.table('order_fact', fields) {}`,
  'functions/orders/pipeline.ts': `import { changedSince, pipeline, upsert } from 'dray'
import { Fact, Order } from '#models/models.ts'
export const orders = pipeline('orders', {
  extract: changedSince(Order, { cursor: 'lastUpdated' }), transform: (order) => ({ ...order }), load: upsert(Fact, { by: 'id' }),
})`,
  ...Object.fromEntries(
    ['extract', 'transform', 'load'].map((stage) => [
      `functions/orders/${stage}.ts`,
      `import { ${stage}Handler } from 'dray/lambda'
import { orders } from './pipeline.ts'
export const handler = ${stage}Handler(orders)`,
    ]),
  ),
  'functions/dray/find-pipeline.ts': readFileSync(join(fixtureFolder, 'functions/dray/find-pipeline.ts'), 'utf8'),
}

/** The tables of its models, on each engine. */
const tables = {
  source: {
    postgres: 'create table orders (id bigint primary key, status text, last_updated timestamptz not null)',
    mysql: 'create table orders (id bigint primary key, status text, last_updated timestamp(6) not null)',
    sqlite: 'create table orders (id integer primary key, status text, last_updated text not null)',
  },
  target: {
    postgres: 'create table order_fact (id bigint primary key, status text, last_updated timestamptz not null)',
    mysql: 'create table order_fact (id bigint primary key, status text, last_updated datetime(6) not null)',
    sqlite: 'create table order_fact (id integer primary key, status text, last_updated text not null)',
  },
} as const

export function tableOf(side: keyof typeof tables, url: string): string {
  const [engine] = url.split(':')
  return tables[side][engine as 'postgres' | 'mysql' | 'sqlite']
}

/** Signs in to MySQL where its password is never in the clear. */
export async function signInOverTls(url: string): Promise<void> {
  const connection = await createConnection({ uri: url, ssl: { rejectUnauthorized: false } })
  await connection.end()
}

/** Statements as the server's first user. */
export async function execute(url: string, ...statements: readonly string[]): Promise<void> {
  if (url.startsWith('sqlite:')) {
    const { DatabaseSync } = await import('node:sqlite')
    const file = new DatabaseSync(url.slice('sqlite:'.length))
    for (const statement of statements) file.exec(statement)
    return file.close()
  }
  if (url.startsWith('mysql:')) {
    const connection = await createConnection(url)
    try {
      for (const statement of statements) await connection.query(statement)
    } finally {
      await connection.end()
    }
    return
  }
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

/** Rows of a database of PostgreSQL. */
export async function rowsOf(url: string, query: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query(query)
  await client.end()
  return rows
}

export interface Patient {
  /** Files beside, or instead of, those of `healthy`; null for one that is not there. */
  readonly files?: Readonly<Record<string, string | null>>
  readonly urls: Readonly<Record<string, string>>
  readonly home: string
  readonly now?: () => number
}

/** What `dray doctor` finds of a project with these files and URLs. */
export async function examined({ files = {}, urls, home, now }: Patient): Promise<Diagnosis> {
  const written = Object.entries({ ...healthy, ...files }).filter(
    (entry): entry is [string, string] => entry[1] !== null,
  )
  const project = writeProject(Object.fromEntries(written))
  const variables = Object.fromEntries(
    Object.entries(urls).map(([name, url]) => [`${name.toUpperCase()}_DATABASE_URL`, url]),
  )
  Object.assign(process.env, variables)
  const signal = new AbortController().signal
  try {
    const envFile = readEnvFile(project.folder)
    const options = { home, folder: project.folder, envFile, openStores: localStores, signal }
    return await examineHere({ ...options, ...(now === undefined ? {} : { now }) })
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name]
    project.remove()
  }
}

export function checksOf({ sections }: Diagnosis, verdict: Checked['verdict']): string[] {
  return sections.flatMap(({ subject, checks }) =>
    checks.filter((one) => one.verdict === verdict).map(({ check, said }) => `${subject}: ${check}: ${said}`),
  )
}
