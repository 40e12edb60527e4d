import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Database, database } from 'dray/internal/active-record/database.ts'
import { bigint, boolean, double, json, text, timestamp, uuid } from 'dray/internal/active-record/field-kinds.ts'
import { type JsonText, timestampOf } from 'dray/internal/active-record/values.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { startPostgres, type TestPostgres } from '#test/services/postgres.ts'

let server: TestPostgres
let shop: Database
before(async () => {
  server = await startPostgres()
  shop = database('kept_values')
  process.env[urlVariable('kept_values')] = await server.createDatabase()
  await shop.query(
    `create table kept (id bigint primary key, at timestamp(0), ratio real, doc jsonb, code char(4), tags text[], name varchar(4), token uuid, yes boolean)`,
  )
})
after(async () => {
  await shop.close()
  await server.stop()
})

function keptModel() {
  return class Kept extends shop.table('kept', {
    id: bigint().primaryKey(),
    at: timestamp().nullable(),
    ratio: double().nullable(),
    doc: json().nullable(),
    code: text().nullable(),
    tags: text().nullable(),
    name: text().nullable(),
    token: uuid().nullable(),
    yes: boolean().nullable(),
  }) {}
}

describe('a value that is saved on PostgreSQL', () => {
  for (const [what, attributes, field] of [
    ['microseconds that the column rounds', { at: timestampOf('2024-01-01 00:00:00.5') }, 'at'],
    ['a number that a real rounds', { ratio: 16777217 }, 'ratio'],
    ['a key that comes twice', { doc: '{"a": 1, "b": ":", "a": 2}' as JsonText }, 'doc'],
    ['spaces that the column cuts', { name: 'abcd ' }, 'name'],
  ] as const) {
    test(`is refused with ${what}`, async () => {
      const record = await keptModel().create({ id: 1n, ...attributes })

      assert.equal(record.isNew, true)
      assert.deepEqual(
        record.errors.toArray().map((error) => `${error.field} ${error.code}`),
        [`${field} not_kept`],
      )
    })
  }

  test('is kept when the column writes the same in its own form', async () => {
    const record = new (keptModel())({
      id: 2n,
      at: timestampOf('2024-01-01T02:00:00+02:00'),
      ratio: 0.1,
      doc: '{"b":[1.0,  {"c":"\\\\"}], "a":null}' as JsonText,
      code: 'ab',
      tags: '{a, b}',
      name: 'abcd',
      token: 'A0EEBC999C0B4EF8BB6D6BB9BD380A11',
      yes: true,
    })

    const isSaved = await record.save()

    assert.deepEqual([isSaved, record.errors.toString()], [true, ''])
    assert.deepEqual([record.code, record.tags], ['ab  ', '{a,b}'])
  })

  test('may be changed by a trigger', async () => {
    await shop.query(`create table lowered (id bigint primary key, name text);
      create function lower_name() returns trigger language plpgsql as $$ begin new.name := lower(new.name); return new; end $$;
      create trigger lowers before insert or update on lowered for each row execute function lower_name()`)
    class Lowered extends shop.table('lowered', { id: bigint().primaryKey(), name: text() }) {}

    const record = await Lowered.create({ id: 1n, name: 'ABC' })

    assert.deepEqual([record.isNew, record.name], [false, 'abc'])
  })
})
