import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import {
  bigint,
  boolean,
  date,
  decimal,
  integer,
  text,
  timestamp,
  varchar,
} from 'dray/internal/active-record/field-kinds.ts'
import type { Fields } from 'dray/internal/active-record/fields.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { applyPlans } from 'dray/internal/active-record/schema-apply.ts'
import { type PlanOptions, planTable, type TablePlan, UNANSWERED } from 'dray/internal/active-record/schema-plan.ts'
import { decimalOf, timestampOf } from 'dray/internal/active-record/values.ts'
import type { Dialect } from 'dray/internal/database/adapter.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { fitSchema } from 'dray/internal/pipeline/inspect/fit-schema.ts'
import { schemaInputOf, wantedTable } from 'dray/internal/pipeline/inspect/wanted-table.ts'
import { drifts } from '#test/contracts/drifts.ts'
import { MYSQL_NAME, mysqlUnavailable, othersSkipped, startMysqlServer } from '#test/services/mysql-server.ts'
import { startPostgres } from '#test/services/postgres.ts'

const id = bigint().primaryKey()

interface Engine {
  readonly dialect: Dialect
  readonly skip: string | undefined
  open(): Promise<{ url: string; close(): Promise<unknown> }>
  /** What the catalogue says of the columns of a table, by name, and of its key. */
  readonly catalogue: (table: string) => string
}

const engines: Readonly<Record<string, Engine>> = {
  PostgreSQL: {
    dialect: 'postgres',
    skip: othersSkipped,
    async open() {
      const server = await startPostgres()
      return { url: await server.createDatabase(), close: () => server.stop() }
    },
    catalogue: (table) =>
      `select column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, datetime_precision, is_nullable, column_default, is_identity
       from information_schema.columns where table_name = '${table}' order by 1`,
  },
  [MYSQL_NAME]: {
    dialect: 'mysql',
    skip: mysqlUnavailable,
    async open() {
      const server = await startMysqlServer()
      return { url: await server.createDatabase(), close: () => server.stop() }
    },
    catalogue: (table) =>
      `select column_name, column_type, is_nullable, column_default, extra, character_set_name, collation_name, column_key
       from information_schema.columns where table_schema = database() and table_name = '${table}' order by 1`,
  },
  SQLite: {
    dialect: 'sqlite',
    skip: othersSkipped,
    async open() {
      const folder = await mkdtemp(join(tmpdir(), 'dray-drift-'))
      return { url: `sqlite:${join(folder, 'x.db')}`, close: () => rm(folder, { recursive: true }) }
    },
    catalogue: (table) => `select name, type, "notnull", dflt_value, pk from pragma_table_info('${table}') order by 1`,
  },
}

const ASKER = { by: 'a test', environment: null }

for (const [name, engine] of Object.entries(engines)) {
  describe(`schema plan and apply on ${name}`, { skip: engine.skip ?? false }, () => {
    const base = database(`drift-${engine.dialect}`)
    let close: () => Promise<unknown>
    let number = 0
    before(async () => {
      const opened = await engine.open()
      process.env[urlVariable(base.name)] = opened.url
      close = opened.close
    })
    after(async () => {
      await base.close()
      await close()
    })

    const nextTable = () => `drift_${++number}`
    const plan = (model: ModelClass, options: PlanOptions = UNANSWERED) =>
      base.withConnection((connection, adapter) => planTable(model, connection, adapter, options))
    const apply = (...plans: TablePlan[]) => applyPlans(base, plans, { by: 'a test', again: 'npx dray schema plan' })
    const rows = async (sql: string) => (await base.query(sql)).rows
    const catalogueOf = async (table: string) => ({
      columns: await rows(engine.catalogue(table)),
      key: (await base.withConnection((connection) => connection.describe(table)))?.primaryKey,
    })

    /** A table of a model of before, with its rows; and the model of now. */
    async function drifted(former: Fields | null, fields: Fields, given: readonly object[] = []) {
      const table = nextTable()
      if (former !== null) {
        const Former = base.table(table, former) as unknown as ModelClass
        await Former.createTable()
        if (given.length > 0) await Former.insertAll(given as never)
      }
      return { table, Model: base.table(table, fields) as unknown as ModelClass }
    }

    for (const [drift, { before: former, after: fields, rows: given, renames, marks }] of Object.entries(drifts)) {
      test(`${drift}: marked rightly, and applied it is as createTable() makes it`, async () => {
        const { table, Model } = await drifted(former, fields, given)
        const fresh = nextTable()
        await base.table(fresh, fields).createTable()
        const options = { renames: renames ?? [], areOthersTwo: true }

        const planned = await plan(Model, options)
        await apply(planned)

        assert.deepEqual(
          planned.statements.map(({ mark }) => mark),
          marks[engine.dialect],
        )
        assert.deepEqual(
          planned.statements.flatMap(({ obstacles }) => obstacles),
          [],
        )
        assert.deepEqual(await catalogueOf(table), await catalogueOf(fresh))
        assert.equal(await Model.count(), given.length)
        assert.deepEqual((await plan(Model)).statements, [])
      })
    }

    const narrowings: Readonly<Record<string, readonly [Fields, Fields, unknown, readonly unknown[]]>> = {
      'an integer': [{ a: bigint() }, { a: integer() }, 1n, [2147483648n, -2147483649n]],
      'a decimal': [
        { a: decimal(18, 4) },
        { a: decimal(6, 2) },
        decimalOf('1.50'),
        ['1.505', '12345.00'].map(decimalOf),
      ],
      'a text': [{ a: varchar(20) }, { a: varchar(3) }, 'abc', ['abcd', 'abc ']],
      'a text that becomes a number': [{ a: text() }, { a: integer() }, '12', ['x', '1.7', '99999999999999999999']],
      'a text that becomes a decimal': [{ a: text() }, { a: decimal(6, 2) }, '1.5', ['x', '1.505', '12345']],
      'a moment that becomes a day': [
        { a: timestamp() },
        { a: date() },
        timestampOf('2024-01-01 00:00:00'),
        [timestampOf('2024-01-01 00:00:01')],
      ],
      'a number that becomes a boolean': [{ a: integer() }, { a: boolean() }, 1, [2]],
      'a column that may not be NULL any more': [{ a: text().nullable() }, { a: text() }, 'x', [null]],
    }
    for (const [narrowing, [former, fields, fitting, others]] of Object.entries(narrowings)) {
      test(`${narrowing}: rows that do not fit are counted, and keep the table as it is`, async (context) => {
        const values = [fitting, ...others]
        const rowsOf = values.map((a, at) => ({ id: BigInt(at + 1), a }))
        const { table, Model } = await drifted({ id, ...former }, { id, ...fields }, rowsOf)
        const had = await rows(`select a from ${table} order by id`)
        const planned = await plan(Model)
        if (planned.statements.length === 0) return context.skip('the column holds both')

        assert.match(planned.statements[0]?.obstacles.join() ?? '', RegExp(`^${sized(others.length, values.length)}`))
        await assert.rejects(apply(planned), { name: 'Terminal', message: RegExp(sized(others.length, values.length)) })
        assert.deepEqual(await rows(`select a from ${table} order by id`), had)

        await base.query(`delete from ${table} where id > 1`)
        await apply(await plan(Model))
        assert.deepEqual((await plan(Model)).statements, [])
        assert.equal(await Model.count(), 1)
      })
    }

    test('a column that is gone and one that is new are asked about, and left alone until that is answered', async () => {
      const { Model } = await drifted({ id, a: text() }, { id, b: text().nullable() }, [{ id: 1n, a: 'one' }])

      const unanswered = await plan(Model)
      const two = await plan(Model, { renames: [], areOthersTwo: true })

      assert.deepEqual([unanswered.questions, unanswered.statements], [[{ from: 'a', to: 'b' }], []])
      assert.deepEqual(
        two.statements.map(({ what, valuesLost }) => [what.split(' ', 2).join(' '), valuesLost]),
        [
          ['adds b', 0],
          ['drops a', 1],
        ],
      )
      await assert.rejects(
        plan(Model, { renames: [{ from: 'x', to: 'b' }], areOthersTwo: false }),
        /x of .* cannot be renamed/,
      )
    })

    test('a required column comes into a table with rows as NULL, and is NOT NULL once it has values', async () => {
      const { table, Model } = await drifted({ id }, { id, a: varchar(10) }, [{ id: 1n }, { id: 2n }])

      const first = await plan(Model)
      await apply(first)
      const second = await plan(Model)
      await base.query(`update ${table} set a = 'x'`)
      await apply(await plan(Model))

      assert.deepEqual([first.statements.map(({ mark }) => mark), first.notes.length], [['safe'], 1])
      assert.match(second.statements[0]?.obstacles[0] ?? '', /^2 of 2 rows are NULL in a$/)
      assert.deepEqual((await plan(Model)).statements, [])
    })

    test('a column in an index or a foreign key that people made is not dropped, and they are named', async () => {
      const { table, Model } = await drifted({ id, a: varchar(10), b: bigint() }, { id })
      await base.query(`create index people_made_${table} on ${table} (a)`)
      if (engine.dialect !== 'sqlite') {
        await base.query(
          `alter table ${table} add constraint to_self_${table} foreign key (b) references ${table} (id)`,
        )
      }
      const had = await catalogueOf(table)

      const { statements } = await plan(Model)
      const said = statements.flatMap(({ obstacles }) => obstacles).join('; ')

      assert.match(said, RegExp(`index "?people_made_${table}`))
      if (engine.dialect !== 'sqlite') assert.match(said, RegExp(`to_self_${table}`))
      assert.deepEqual(await catalogueOf(table), had)
    })

    test('a column of the former key stays where rows keep the table from having the other one', async () => {
      const { table, Model } = await drifted({ k: bigint().primaryKey(), id: bigint() }, { id }, [
        { k: 1n, id: 1n },
        { k: 2n, id: 1n },
      ])

      const { statements } = await plan(Model, { renames: [], areOthersTwo: true })

      const said = statements.map(({ what, obstacles }) => [what, obstacles.join()])
      assert.match(said.find(([what]) => what?.includes('the primary key'))?.[1] ?? '', /2 of 2 rows share a key id/)
      assert.equal(said.find(([what]) => what === 'drops k')?.[1], 'the table has to have its other key first')
      await base.query(`update ${table} set id = k`)
      await apply(await plan(Model))
      assert.deepEqual((await plan(Model)).statements, [])
    })

    test('a column of the former key is dropped together with the change of the key alone', async () => {
      const { Model, table } = await drifted({ k: bigint().primaryKey(), id: bigint() }, { id }, [{ k: 1n, id: 7n }])
      const asked = { others: [], renames: [], areOthersTwo: true }
      const [planned] = (await fitSchema(schemaInputOf([wantedTable(Model, { ...asked, chosen: [] })], ASKER))).tables
      const sqlOf = (...wanted: RegExp[]) =>
        (planned?.statements ?? []).filter(({ what }) => wanted.some((one) => one.test(what))).map(({ sql }) => sql)
      const fit = (chosen: readonly (readonly string[])[]) =>
        fitSchema(schemaInputOf([wantedTable(Model, { ...asked, chosen })], ASKER))

      await assert.rejects(
        fit(sqlOf(/^drops k$/)),
        /"drops k" cannot be done, so nothing was changed: .* has to be done with it/,
      )
      assert.deepEqual((await base.withConnection((one) => one.describe(table)))?.primaryKey, ['k'])

      await fit(sqlOf(/^drops k$/, /primary key/))
      assert.deepEqual((await base.withConnection((one) => one.describe(table)))?.primaryKey, ['id'])
    })

    test('what people made stays: an index, a default, a check, a foreign key, a view, a trigger', async () => {
      const { table, Model } = await drifted(null, {
        id,
        a: varchar(40).nullable(),
        b: text().nullable(),
        c: bigint().nullable(),
      })
      await base.query(`create table ${table}_parent (id bigint not null primary key)`)
      await base.query(
        `create table ${table} (id bigint not null primary key, a varchar(40) default 'it''s' not null, b integer check (b > 0), c bigint, foreign key (c) references ${table}_parent (id))`,
      )
      await base.query(
        `create table ${table}_child (id bigint not null primary key, p bigint, foreign key (p) references ${table} (id) on delete cascade)`,
      )
      await base.query(`create index by_a_${table} on ${table} (a)`)
      await base.query(`create view ${table}_view as select id from ${table}`)
      await base.query(`create table ${table}_log (id bigint)`)
      await base.query(triggerOn(table)[engine.dialect])
      await base.query(`insert into ${table} (id, b) values (1, 7)`)
      await base.query(`insert into ${table}_child values (1, 1)`)

      const { statements } = await plan(Model)
      const kept = statements.filter(({ columns }) => !(engine.dialect !== 'sqlite' && columns.includes('b')))
      await apply({ ...(await plan(Model)), statements: kept })

      assert.deepEqual(await rows(`select a, cast(b as char(1)), c from ${table}`), [["it's", '7', null]])
      await base.query(`insert into ${table} (id, a) values (2, null)`)
      assert.deepEqual(await rows(`select id from ${table}_view order by 1`), [['1'], ['2']])
      assert.deepEqual(await rows(`select count(*) from ${table}_log`), [['2']])
      assert.deepEqual(await rows(`select count(*) from ${table}_child`), [['1']])
      await assert.rejects(base.query(`insert into ${table} (id, b) values (3, -1)`))
      await assert.rejects(base.query(`insert into ${table} (id, c) values (3, 99)`))
      await assert.rejects(base.query(`insert into ${table}_child values (2, 99)`))
    })

    test('each message about a table ends with the command that shows what to do', async () => {
      const { Model } = await drifted({ id, a: text() }, { number: bigint().primaryKey(), a: text() })

      const messages = (await Model.checkSchema()).map(({ message }) => message)

      assert.ok(messages.length > 0)
      for (const message of messages) assert.match(message, /: `npx dray schema plan`$/)
      const Source = base.source(Model.definition.table, { number: bigint() })
      assert.match((await Source.checkSchema())[0]?.message ?? '', /: `npx dray schema pull`$/)
    })

    test('what was done is recorded in the database: the statement, its mark, when and by whom', async () => {
      const { table, Model } = await drifted({ id }, { id, a: text().nullable() })

      await apply(await plan(Model))

      const recorded = await rows(
        `select mark, applied_by, statement, applied_at from dray_schema where table_name = '${table}'`,
      )
      assert.equal(recorded.length, 1)
      assert.deepEqual(recorded[0]?.slice(0, 2), ['safe', 'a test'])
      assert.match(recorded[0]?.[2] ?? '', /^alter table .* add column /)
      assert.match(recorded[0]?.[3] ?? '', /^20\d\d-/)
    })

    test('a statement that fails takes back those before it, where DDL is part of a transaction', async () => {
      const { table, Model } = await drifted({ id, a: integer() }, { id, a: bigint(), b: text().nullable() })
      const planned = await plan(Model)
      const broken = { ...planned, statements: [...planned.statements, ...planned.statements.slice(0, 1)] }

      const error = await apply(broken).catch((reason: Error) => reason)

      const columns = (await catalogueOf(table)).columns.map(([name]) => name)
      const keeps = engine.dialect === 'mysql'
      assert.deepEqual(columns, keeps ? ['a', 'b', 'id'] : ['a', 'id'])
      assert.match(String(error), keeps ? /what was done before stays/ : /nothing was changed there/)
    })
  })
}

function sized(unfit: number, all: number): string {
  return `${unfit} of ${all} rows `
}

function triggerOn(table: string): Readonly<Record<Dialect, string>> {
  return {
    postgres: `create function log_${table}() returns trigger language plpgsql as 'begin insert into ${table}_log values (new.id); return new; end';
      create trigger logs_${table} after insert on ${table} for each row execute function log_${table}()`,
    mysql: `create trigger logs_${table} after insert on ${table} for each row insert into ${table}_log values (new.id)`,
    sqlite: `create trigger logs_${table} after insert on ${table} begin insert into ${table}_log values (new.id); end`,
  }
}
