import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type SmallProject, smallProject } from '#test/add/small-project.ts'
import type { Ended } from './dray-process.ts'

/** An import that is none of this file. */
const use = (names: string, from: string) => `import ${names} from '${from}'\n`

const PIPELINE = `import { notNull, replicate, rowCount } from 'dray'
${use('{ lake }', '#models/lake.ts')}${use('{ shop }', '#models/shop.ts')}
export const shopRaw = replicate('shop-raw', {
  from: shop,
  into: lake,
  tables: ['*', '!settings'],
  name: (table) => \`raw_\${table.name}\`,
  cursor: 'updated_at',
  checks: [rowCount({ max: 1000 })],
  overrides: { genres: { checks: [notNull('name', { severity: 'warn' })] } },
})
`

const TABLES = `
  create table settings (name text not null primary key, value text);
  create table orders (id integer primary key, total integer not null, updated_at timestamp not null);
  create index orders_updated_at on orders (updated_at);
  insert into orders values (1, 10, '2026-01-01 10:00:00'), (2, 20, '2026-01-02 10:00:00');
  create table lines (order_id integer not null, place integer not null, amount integer, primary key (order_id, place));
  insert into lines values (1, 1, 5), (1, 2, 5), (2, 1, 20);
  create table log (what text);
  insert into log values ('a'), ('a');
  create table genres (id integer primary key, name text);
  insert into genres values (1, 'Rock'), (2, 'Jazz');
  create table wide (id integer primary key, n varchar(2000));
  insert into wide values (1, 'x');
`

/** A project whose workflow runs a pipeline, and a replica of a shop with five tables, one of which does not fit. */
export interface ReplicaProject extends SmallProject {
  run(...args: readonly string[]): Promise<Ended>
  /** Of a verb that prints one document. */
  json(
    ...args: readonly string[]
  ): Promise<{ readonly code: number | null; readonly document: ReturnType<typeof JSON.parse> }>
  shop(sql: string): readonly unknown[]
  lake(sql: string): readonly unknown[]
}

export async function replicaProject(): Promise<ReplicaProject> {
  const project = await smallProject()
  const at = (path: string) => join(project.folder, path)
  const file = async (path: string, text: string) => {
    await mkdir(at(join(path, '..')), { recursive: true })
    await writeFile(at(path), text)
  }
  const handler = (stage: string) =>
    `import { ${stage}Handler } from 'dray/lambda'\nimport { shopRaw } from './pipeline.ts'\n\nexport const handler = ${stage}Handler(shopRaw)\n`
  await file('functions/shop-raw/pipeline.ts', PIPELINE)
  for (const stage of ['extract', 'transform', 'load']) await file(`functions/shop-raw/${stage}.ts`, handler(stage))
  const workflow = 'infra/workflows/nightly.ts'
  const text = await readFile(at(workflow), 'utf8')
  const imported = `import { shopRaw } from '../../functions/shop-raw/pipeline.ts'\n`
  await writeFile(at(workflow), `${imported}${text.replace('[run(settings)]', '[run(settings), run(shopRaw)]')}`)
  const all = (name: string) => (sql: string) => {
    const database = new DatabaseSync(at(`${name}.db`))
    try {
      if (sql.includes(';')) return database.exec(sql) ?? []
      return database
        .prepare(sql)
        .all()
        .map((row) => ({ ...row }))
    } finally {
      database.close()
    }
  }
  const [shop, lake] = [all('shop'), all('lake')]
  shop(TABLES)
  lake('create table raw_wide (id integer primary key, n integer);')
  const urls = { SHOP_DATABASE_URL: `sqlite:${at('shop.db')}`, LAKE_DATABASE_URL: `sqlite:${at('lake.db')}` }
  const run = (...args: readonly string[]) => project.dray(args, urls)
  return {
    ...project,
    run,
    async json(...args) {
      const { code, stdout, stderr } = await run(...args, '--json')
      return { code, document: JSON.parse(stdout === '' ? stderr : stdout) }
    },
    shop,
    lake,
  }
}
