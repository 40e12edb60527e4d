import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { mysqlUnavailable, othersSkipped, startMysqlServer } from '#test/services/mysql-server.ts'
import { startPostgres } from '#test/services/postgres.ts'
import { type SmallProject, smallProject } from './small-project.ts'

/*
 * Tables that nobody has prepared: columns of nearly every type, names with capitals, spaces, quotes and reserved
 * words, another schema, composite keys, a unique key alone, no key, views, no row.
 */

const tables = (engine: string) => readFileSync(join(import.meta.dirname, 'odd-tables', `${engine}.sql`), 'utf8')

interface Step {
  readonly step: string
  readonly status: string
  readonly read: number
  readonly quarantined: number
  readonly duplicate: number
}

interface Pipeline {
  readonly pipeline: string
  readonly reading: { readonly kind: string; readonly reason?: string; readonly cursor?: string }
  readonly load: string
}

interface Case {
  readonly patterns: readonly string[]
  readonly environment: () => Promise<NodeJS.ProcessEnv>
  /** By pipeline: what its runs read by, or why it reads all. */
  readonly readings: Readonly<Record<string, string>>
  /** Lines of the models. */
  readonly fields: readonly string[]
  /** Tables that a pattern finds and that cannot be read, with a part of the reason. */
  readonly skipped: Readonly<Record<string, RegExp>>
  /** A column of numbers has a type that says no digits. */
  readonly isMeasured: boolean
}

function suite({ patterns, environment, readings, fields, skipped, isMeasured }: Case): void {
  let project: SmallProject
  let urls: NodeJS.ProcessEnv
  before(async () => {
    project = await smallProject()
    urls = await environment()
  })
  after(() => project.remove())
  const names = Object.keys(readings)
  const read = (path: string) => readFileSync(join(project.folder, path), 'utf8')
  async function run(): Promise<readonly Step[]> {
    const ended = await project.dray(['run', '--only', names.join(','), '--json', '--progress', 'none'], urls)
    assert.equal(ended.code, 0, ended.stdout + ended.stderr)
    return JSON.parse(ended.stdout).steps
  }

  test('are added by one command, each read by its cursor or whole, with the reason', async () => {
    const { code, stdout, stderr } = await project.dray(['add', ...patterns, '--yes', '--json'], urls)

    assert.equal(code, 0, stderr)
    const { tables: added, skipped: left } = JSON.parse(stdout) as {
      readonly tables: readonly Pipeline[]
      readonly skipped: readonly { readonly table: string; readonly reason: string }[]
    }
    assert.deepEqual(
      Object.fromEntries(added.map(({ pipeline, reading }) => [pipeline, reading.cursor ?? reading.reason])),
      readings,
    )
    const of = (name: string) => left.find(({ table }) => table === `shop.${name}`)?.reason ?? ''
    for (const [name, reason] of Object.entries(skipped)) assert.match(of(name), reason)
  })

  test('have models of the exact kinds', () => {
    const models = read('shared/models/shop.ts')

    assert.deepEqual(
      fields.filter((field) => !models.includes(`${field},\n`)),
      [],
    )
    assert.equal(read('shared/models/lake.ts').includes('The source says no size'), isMeasured)
  })

  test('are written as the compiler, the linter and their own tests take them', async () => {
    assert.equal(await project.check(), '')
    assert.match(await project.test(...names), /^# fail 0$/m)
  })

  test('are loaded without a loss, and read incrementally from then on', async () => {
    const first = await run()
    const second = await run()

    const byCursor = names.filter((name) => !readings[name]?.includes(' '))
    assert.deepEqual([...new Set(first.map(({ status }) => status))], ['success'])
    assert.deepEqual(
      first.filter(({ quarantined, duplicate }) => quarantined + duplicate > 0),
      [],
    )
    assert.equal(first.find(({ step }) => step === 'order-details')?.read, 2)
    assert.deepEqual(
      second.filter(({ step, read }) => byCursor.includes(step) && read > 0),
      [],
    )
  })

  test('are the same on both sides, by a comparison of every value', async () => {
    const { code, stdout, stderr } = await project.dray(['reconcile', 'order-details', '--deep'], urls)

    assert.equal(code, 0, stderr)
    assert.match(stdout, /no differences/)
  })
}

const NO_CURSOR = 'no column says when a row was changed'

describe('tables of PostgreSQL', { skip: othersSkipped ?? false }, () => {
  let stop: () => Promise<void>
  after(() => stop())
  suite({
    patterns: ['shop.*', 'shop.*.*'],
    async environment() {
      const server = await startPostgres()
      stop = () => server.stop()
      const [SHOP_DATABASE_URL, LAKE_DATABASE_URL] = [await server.createDatabase(), await server.createDatabase()]
      const client = new Client({ connectionString: SHOP_DATABASE_URL })
      await client.connect()
      await client.query(tables('postgres'))
      await client.end()
      return { SHOP_DATABASE_URL, LAKE_DATABASE_URL }
    },
    readings: {
      class: 'lastModified',
      'dot-ted': NO_CURSOR,
      'empty-one': NO_CURSOR,
      forebear: NO_CURSOR,
      hashed: 'no index begins with updated_at, so each run would read the whole table for it',
      heir: NO_CURSOR,
      mv: NO_CURSOR,
      nokey: NO_CURSOR,
      parted: 'updatedAt',
      uniq: 'updated_at may be NULL, and such rows are in no window',
      'v-orders': NO_CURSOR,
      xs: 'tx',
      'order-details': 'updatedAt',
    },
    fields: [
      "id: bigint().primaryKey().column('Id')",
      'cNumeric: decimal(50, 20).nullable()',
      'cNumneg: decimal(7, 0).nullable()',
      'cDomain: decimal(12, 2).nullable()',
      'cName: varchar(12).nullable()',
      'cBit1: boolean().nullable()',
      'cBytea: binary().nullable()',
      'cTs: timestamp().nullable()',
      'cInterval: text().nullable()',
      'cJsonb: json().nullable()',
      'cUuid: uuid().nullable()',
      'cArray: text().nullable()',
      "constructorValue: text().nullable().column('constructor')",
      "thenValue: text().nullable().column('then')",
      `weirdName: text().nullable().column('weird "name')`,
      "keyB: text().primaryKey().column('Key B'),\n  keyA: integer().primaryKey().column('Key A')",
    ],
    skipped: { far: /could not connect to server "away"/ },
    isMeasured: true,
  })
})

describe('tables of MySQL', { skip: mysqlUnavailable ?? false }, () => {
  let stop: () => Promise<void>
  after(() => stop())
  suite({
    patterns: ['shop.*'],
    async environment() {
      const mysql = await startMysqlServer()
      const postgres = await startPostgres()
      stop = async () => {
        await mysql.stop()
        await postgres.stop()
      }
      const SHOP_DATABASE_URL = await mysql.createDatabase()
      const connection = await createConnection({ uri: SHOP_DATABASE_URL, multipleStatements: true })
      await connection.query(tables('mysql'))
      await connection.end()
      return { SHOP_DATABASE_URL, LAKE_DATABASE_URL: await postgres.createDatabase() }
    },
    readings: {
      child: NO_CURSOR,
      nokey: NO_CURSOR,
      'order-details': 'updatedAt',
      parent: NO_CURSOR,
      'v-orders': NO_CURSOR,
      wide: 'modified',
    },
    fields: [
      "/** The order's number */\n  order: bigint()",
      'cBool: integer().nullable()',
      'cBig: bigint().nullable()',
      'cBu: decimal(20, 0).nullable()',
      'cYear: integer().nullable()',
      'cDec: decimal(60, 30).nullable()',
      'cFloat: double().nullable()',
      'cBit1: boolean().nullable()',
      'cBit10: binary().nullable()',
      'cTime: text().nullable()',
      'cVarbin: binary(20).nullable()',
      'parentId: bigint().nullable()',
      "weirdName: integer().nullable().column('weird `name')",
    ],
    skipped: { broken: /has no table broken, or its user may not see it/ },
    isMeasured: false,
  })
})
