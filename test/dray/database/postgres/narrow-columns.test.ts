import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import type { MergeTarget } from 'dray/internal/database/adapter.ts'
import { type OpenedServer, openServer } from './opened-server.ts'

const target: MergeTarget = { table: 'item', columns: ['id', 'v'], key: ['id'] }

let server: OpenedServer
before(async () => {
  server = await openServer()
})
after(() => server.close())
beforeEach(async () => {
  await server.query('DROP TABLE IF EXISTS item')
})

for (const [type, changed, kept] of [
  ['name', 'x'.repeat(64), 'x'.repeat(63)],
  ['"char"', 'ab', 'a'],
  ['money', '1.005', '$1.50'],
  ['oid', '-1', '4294967295'],
  ['numeric(10,2)[]', '{1.005,2}', '{1.50,NULL}'],
  ['timestamp(0)[]', '{"2024-01-01 00:00:00.6"}', '{"2024-01-01 00:00:00"}'],
  ['varchar(3)[]', '{"abc "}', '{abc}'],
  ['real[]', '{0.1234567890123}', '{0.1,16777216}'],
] as const) {
  for (const [size, more] of [
    ['few', 0],
    ['many', 700],
  ] as const) {
    test(`a value that ${type} would change in silence is rejected among ${size} rows`, async () => {
      await server.query(`CREATE TABLE item (id bigint PRIMARY KEY, v ${type})`)
      const others = Array.from({ length: more }, (_, index) => [String(100 + index), kept])

      const { inserted, rejected } = await server.merge(target, [['1', changed], ['2', kept], ...others])

      assert.deepEqual([inserted, rejected.map(({ row }) => row)], [1 + more, [0]])
      assert.match(rejected[0]?.message ?? '', /does not fit/)
      assert.deepEqual(await server.query('SELECT id FROM item WHERE id < 100'), [['2']])
    })
  }
}

for (const [type, changed, kept] of [
  ['date', ['now', 'today', '2024-01-01 12:00:00', '01/02/2024'], ['2024-01-01', 'infinity']],
  ['timestamp', ['now', '2024-01-01 12:00:00.1234567', '2024-01-01 12:00:00+02'], ['2024-01-01T12:00:00.123456']],
  ['timestamp(0)', ['2024-01-01 12:00:00.5'], ['2024-01-01 12:00:00.0', '-infinity']],
  ['timestamptz', ['now', 'tomorrow', 'epoch', 'Jan 5 2024'], ['2024-01-01 12:00:00+02:00', '2024-01-01 12:00:00Z']],
  ['time', ['now', 'allballs', '12:00:00+02'], ['12:00', '12:00:00.123456']],
  ['timetz', ['12:00:00'], ['12:00:00+02']],
] as const) {
  test(`text that ${type} would take for another is rejected, by few rows and by many`, async () => {
    for (const more of [0, 700]) {
      await server.query(`DROP TABLE IF EXISTS item; CREATE TABLE item (id bigint PRIMARY KEY, v ${type})`)
      const values = [...changed, ...kept]
      const others = Array.from({ length: more }, (_, index) => [String(100 + index), kept[0]])
      const rows = values.map((value, index) => [String(index), value])

      const { inserted, rejected } = await server.merge({ ...target, texts: ['v'] }, [...rows, ...others])

      assert.deepEqual(
        [inserted, rejected.map(({ row }) => row)],
        [kept.length + more, changed.map((_value, index) => index)],
      )
      for (const { message } of rejected) assert.match(message, /without being changed/)
      await server.query('DELETE FROM item')
      const again = await server.merge(target, rows.slice(changed.length))
      assert.deepEqual([again.inserted, again.rejected], [kept.length, []])
    }
  })
}

test('an element beyond its type is rejected alone', async () => {
  await server.query('CREATE TABLE item (id bigint PRIMARY KEY, v numeric(4,2)[])')

  const { inserted, rejected } = await server.merge(target, [
    ['1', '{12345}'],
    ['2', '{1.5}'],
  ])

  assert.deepEqual([inserted, rejected.map(({ row }) => row)], [1, [0]])
})
