import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { mendedModel } from 'dray-infra/internal/add/pulled-model.ts'
import { packageFolder } from 'dray-infra/internal/project/project-folder.ts'
import { fixtureFolder } from '#test/fixture-project.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'
import { startDray, temporaryHome } from './dray-process.ts'

/* A project whose sources have changed: a copy of the fixture. */

describe('dray schema pull', () => {
  const { home, remove } = temporaryHome()
  const models = 'shared/models'
  let folder: string
  let server: TestPostgres
  let environment: Record<string, string>
  let till: DatabaseSync
  const pull = (...args: string[]) => startDray(home, ['schema', 'pull', ...args], environment, folder).ended
  const text = (file: string) => readFileSync(join(folder, models, file), 'utf8')

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dray-pulled-'))
    cpSync(fixtureFolder, folder, { recursive: true })
    const root = resolve(packageFolder, '../..')
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    const includes = ['functions/*/*.ts', 'shared']
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: join(root, 'tsconfig.json'), include: includes }),
    )
    server = await startPostgres()
    till = new DatabaseSync(join(home, 'till.db'))
    environment = {
      SHOP_DATABASE_URL: await server.createDatabase(),
      TILL_DATABASE_URL: `sqlite:${join(home, 'till.db')}`,
      LAKE_DATABASE_URL: `sqlite:${join(home, 'lake.db')}`,
    }
    till.exec('create table orders (id integer primary key, last_updated text not null)')
  })
  after(async () => {
    till.close()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
    remove()
  })

  it('mends the fields of sources whose tables have changed, and says what follows', async () => {
    const { Client } = await import('pg')
    const client = new Client({ connectionString: environment.SHOP_DATABASE_URL ?? '' })
    await client.connect()
    await client.query(
      'create table customers (id bigint primary key, name text, email bytea, phone text, address text, born date not null, code char(3), tons numeric(5,-2))',
    )
    await client.end()

    const { code, stdout, stderr } = await pull()
    const again = await pull()

    assert.equal(code, 0, stderr)
    assert.match(stdout, /the column created_at is gone\n +- createdAt: text\(\)\.nullable\(\)\n/)
    assert.match(stdout, /new column +born; to read it: born: date\(\),\n/)
    assert.match(
      stdout,
      /to read it: code: varchar\(3\)\.nullable\(\),\n.*to read it: tons: decimal\(7, 0\)\.nullable\(\),\n/,
    )
    assert.match(stdout, /follows +look at the transform of customers, which writes lake\.customer_dim\n/)
    assert.doesNotMatch(text('shop.ts'), /createdAt/)
    assert.match(text('till.ts'), /\{\n {2}id: bigint\(\)\.primaryKey\(\),\n {2}lastUpdated: timestamp\(\),\n\}/)
    assert.match(
      stdout,
      /The compiler says what else has to follow:\n(?: .*\n)* +functions\/orders\/pipeline\.ts\(\d+,\d+\): error TS/,
    )
    assert.match(again.stdout, /No model was changed\.\n$/)
  })
})

describe('the text of a model', () => {
  const field = { kind: null, becomesNullable: false, isGone: false, why: '' }
  const source = (fields: string) =>
    `import { bigint, database, text } from 'dray'\nexport class A extends shop.source('a', {\n${fields}}) {}\n`

  it('keeps all but the field that is changed, and imports its kind in place of the one that no field has', () => {
    const given = source(
      "  id: bigint().primaryKey(), // the 'key', {\n  /** Of it. */\n  name: text().rule(one({ a: ['},'] })).column('n'),\n",
    )

    const mended = mendedModel(given, 'a', [{ ...field, name: 'name', kind: 'varchar(20)', becomesNullable: true }])

    assert.equal(
      mended?.text,
      given
        .replace('text().rule', 'varchar(20).nullable().rule')
        .replace('bigint, database, text', 'bigint, database, varchar'),
    )
  })

  it('loses a field that is gone with its comments, be it the last one', () => {
    const gone = ['one', 'last'].map((name) => ({ ...field, name, isGone: true }))

    const mended = mendedModel(
      source("  id: bigint(),\n  /** Gone. */\n  one: text(), // gone\n  two: text(),\n  'last': text()\n"),
      'a',
      gone,
    )

    assert.equal(mended?.text, source('  id: bigint(),\n  two: text(),\n'))
  })

  it('is left to a person where its fields are declared elsewhere, or as something else', () => {
    const change = [{ ...field, name: 'name', kind: 'date()' }]

    assert.equal(mendedModel("class A extends shop.source('a', fields) {}", 'a', change), null)
    assert.equal(mendedModel(source('  name: shared,\n'), 'a', change), null)
    assert.equal(mendedModel(source('  name: text(),\n'), 'b', change), null)
  })
})
