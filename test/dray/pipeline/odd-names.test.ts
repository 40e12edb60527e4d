import assert from 'node:assert/strict'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { onEachEngine } from './engines.ts'
import { quarantined, runPipeline } from './harness.ts'

const from = database('named-from')
const into = database('named-into')

/** Names of tables as a model writes them, and the tables that are meant. */
const NAMES: Readonly<Record<string, string>> = {
  '"t.2"': 't.2',
  '"a.b.c"': 'a.b.c',
  'a"b`c\'d': 'a"b`c\'d',
  '"""quoted"""': '"quoted"',
  select: 'select',
  'Two Words, größe%?$1\\': 'Two Words, größe%?$1\\',
}
const COLUMNS = ['order', 'Two Words', 'a.b', 'it\'s "so" `odd`', 'größe?', 'back\\slash,comma']

function fields() {
  const [order, words, dotted, quoted, sized, slashed] = COLUMNS as [string, string, string, string, string, string]
  return {
    id: bigint().primaryKey().column(order),
    words: text().nullable().column(words),
    dotted: text().nullable().column(dotted),
    quoted: text().nullable().column(quoted),
    sized: text().nullable().column(sized),
    slashed: timestamp().column(slashed),
  }
}

onEachEngine('odd names', [from, into], (engine) => {
  const { dialect } = engine
  const longest = { postgres: 'ä'.repeat(31), mysql: 'ä'.repeat(64), sqlite: 'ä'.repeat(90) }[dialect]
  const names = { ...NAMES, [longest]: longest, ...(dialect === 'mysql' ? {} : { 'table 😀': 'table 😀' }) }
  const catalogue = {
    postgres:
      "select table_name from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema')",
    mysql: 'select table_name from information_schema.tables where table_schema = database()',
    sqlite: "select name from sqlite_schema where type = 'table'",
  }[dialect]

  for (const [written, meant] of Object.entries(names)) {
    test(`a table and columns of odd names are made, checked, read, written, deleted from and reconciled: ${written}`, async () => {
      const Source = from.table(written, fields())
      const Target = into.table(written, fields())
      for (const model of [Source, Target] as unknown as ModelClass[]) await model.createTable()
      const copy = (load: unknown, deletes: object) =>
        pipeline('odd', {
          extract: fullLoad(Source),
          transform: (row: Record<string, unknown>, { reject }: { reject(field: string, code: string): never }) =>
            row.words === 'bad' ? reject('words', 'bad') : { ...row },
          load,
          ...deletes,
          quarantine: { rows: 10, share: 1 },
        } as never) as unknown as Pipeline
      const at = timestampOf('2024-01-01 00:00:00')
      const row = (id: bigint, words: string) => ({ id, words, dotted: '.', quoted: '"', sized: '?', slashed: at })
      await Source.insertAll([row(1n, 'one'), row(2n, 'two'), row(3n, 'bad')])
      const upserted = copy(upsert(Target as never, { by: 'id' } as never), { deletes: 'hard' })

      const first = await runPipeline(upserted, 'first', engine.harness.services)
      await Source.where({ id: 1n }).deleteAll()
      await (await Source.find(2n)).assign({ words: 'changed' }).saveOrFail()
      const second = await runPipeline(upserted, 'second', engine.harness.services)
      const report = await reconcile(upserted, engine.harness.services)
      const replaced = await runPipeline(copy(replace(Target as never), {}), 'third', engine.harness.services)

      assert.ok((await into.query(catalogue)).rows.some(([name]) => name === meant))
      assert.deepEqual([await Source.checkSchema(), await Target.checkSchema()], [[], []])
      assert.deepEqual([first.inserted, first.quarantined], [2, 1])
      assert.deepEqual([second.updated, await Target.count({ id: 1n })], [1, 0])
      assert.equal((await quarantined(engine.harness, 'first', 'odd'))[0]?.row.order, '3')
      assert.deepEqual(report.differences, [])
      assert.equal(replaced.inserted, 1)
      const [left, ...others] = await Target.all().toArray()
      assert.deepEqual({ ...left }, row(2n, 'changed'))
      assert.deepEqual(others, [])
    })
  }

  test('a name that says nothing is refused with how it is written', () => {
    for (const name of ['a.b.c', '', 'a.', '.a', '"open', 'a."b', '"a"b']) {
      assert.throws(
        () => into.table(name, { id: bigint() }),
        { name: 'Configuration', message: /in double quotes/ },
        name,
      )
    }
  })

  test('a table in another schema, whose names have dots, is referred to by its foreign keys', {
    skip: dialect === 'sqlite' && 'a database is one schema',
  }, async () => {
    const schema = `odd.${Date.now()}`
    const q = (name: string) => (dialect === 'mysql' ? `\`${name}\`` : `"${name}"`)
    for (const base of [from, into]) await base.query(`create schema if not exists ${q(schema)}`)
    try {
      const Source = from.table('parent', { id: bigint().primaryKey(), at: timestamp() })
      const Parent = into.table(`"${schema}"."p.1"`, { id: bigint().primaryKey(), at: timestamp() })
      await Source.createTable()
      await Parent.createTable()
      const child = `${q(schema)}.${q('c.1')}`
      await into.query(
        `create table ${child} (id bigint primary key, parent_id bigint references ${q(schema)}.${q('p.1')} (id) on delete cascade, foreign key (parent_id) references ${q(schema)}.${q('p.1')} (id) on delete cascade)`,
      )
      const at = timestampOf('2024-01-01 00:00:00')
      await Source.insertAll([1n, 2n].map((id) => ({ id, at })))
      const copy = pipeline('schemas', {
        extract: changedSince(Source, { cursor: 'at', lag: '0s' }),
        transform: (row) => ({ ...row }),
        load: upsert(Parent, { by: 'id' }),
        deletes: 'hard',
      }) as unknown as Pipeline

      await runPipeline(copy, 'first', engine.harness.services)
      await into.query(`insert into ${child} values (1, 1)`)
      await Source.where({ id: 1n }).deleteAll()
      await runPipeline(copy, 'second', engine.harness.services)

      const step = (await engine.harness.services.state.run('second'))?.steps[0]
      assert.equal(step?.deleted, 1)
      assert.match(step?.notes?.join() ?? '', /1 rows of "odd\.\d+"\."c\.1" referred to rows/)
      assert.deepEqual(await Parent.checkSchema(), [])
      const Lost = into.table('"no.where".t', { id: bigint().primaryKey() })
      assert.match((await Lost.checkSchema())[0]?.message ?? '', /no schema "no.where"/)
    } finally {
      await into.query(`drop schema ${q(schema)}${dialect === 'postgres' ? ' cascade' : ''}`)
      if (dialect === 'postgres') await from.query(`drop schema ${q(schema)}`)
    }
  })
})
