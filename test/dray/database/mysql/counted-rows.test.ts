import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Text } from 'dray/internal/block/block.ts'
import { DROPPED, type MergeTarget, OTHER_SPELLING } from 'dray/internal/database/adapter.ts'
import { countsOf, type OpenedServer, openServer, skip } from './opened-server.ts'

describe('a merge into MySQL counts what was done', { skip }, () => {
  let server: OpenedServer
  let tables = 0
  before(async () => {
    server = await openServer()
  })
  after(() => server.close())

  async function tableOf(definition: string, target: Partial<MergeTarget> = {}): Promise<MergeTarget> {
    tables += 1
    const table = `counted_${tables}`
    await server.query(`CREATE TABLE ${table} (${definition})`)
    return { table, columns: ['id', 'v'], key: ['id'], ...target }
  }
  const three = (v: string): Text[][] => ['1', '2', '3'].map((id) => [id, v])
  const all = ({ table }: MergeTarget) => server.query(`SELECT * FROM ${table} ORDER BY 1, 2`)

  for (const [name, key] of [
    ['a number', 'int'],
    ['a text', 'varchar(9) COLLATE utf8mb4_unicode_ci'],
  ] as const) {
    test(`equal rows and rows held back by a version fire no trigger: the key is ${name}`, async () => {
      const target = await tableOf(`id ${key} PRIMARY KEY, v int, stamp int DEFAULT 0`)
      await server.merge(target, three('5'))
      await server.query(
        `CREATE TRIGGER bu_${target.table} BEFORE UPDATE ON ${target.table} FOR EACH ROW SET NEW.stamp = NEW.stamp + 1`,
      )
      await server.query(
        `CREATE TRIGGER bi_${target.table} BEFORE INSERT ON ${target.table} FOR EACH ROW SET NEW.stamp = 9`,
      )

      const equal = await server.merge(target, three('5'))
      const older = await server.merge({ ...target, version: 'v' }, three('4'))
      const changed = await server.merge(target, [
        ['1', '6'],
        ['4', '1'],
        ['2', '5'],
      ])

      assert.deepEqual(countsOf(equal), [0, 0, 3, 0, 0])
      assert.deepEqual(countsOf(older), [0, 0, 3, 0, 0])
      assert.deepEqual(countsOf(changed), [1, 1, 1, 0, 0])
      assert.deepEqual(await all(target), [
        ['1', '6', '1'],
        ['2', '5', '0'],
        ['3', '5', '0'],
        ['4', '1', '9'],
      ])
    })
  }

  test('equal rows move no stamp of ON UPDATE CURRENT_TIMESTAMP', async () => {
    const target = await tableOf(
      "id int PRIMARY KEY, v int, at timestamp(6) NOT NULL DEFAULT '2020-01-01' ON UPDATE CURRENT_TIMESTAMP(6)",
    )
    await server.merge(target, three('5'))

    const result = await server.merge(target, three('5'))

    assert.deepEqual(countsOf(result), [0, 0, 3, 0, 0])
    assert.deepEqual(await server.query(`SELECT DISTINCT year(at) FROM ${target.table}`), [['2020']])
  })

  test('a row whose update a trigger undoes, or whose key it rewrites, is rejected as dropped', async () => {
    const target = await tableOf('id int PRIMARY KEY, v int')
    await server.merge(target, three('5'))
    await server.query(
      `CREATE TRIGGER bu_${target.table} BEFORE UPDATE ON ${target.table} FOR EACH ROW SET NEW.v = IF(NEW.id = 2, OLD.v, NEW.v)`,
    )
    await server.query(
      `CREATE TRIGGER bi_${target.table} BEFORE INSERT ON ${target.table} FOR EACH ROW SET NEW.id = IF(NEW.id = 4, 40, NEW.id)`,
    )

    const result = await server.merge(target, [...three('6'), ['4', '6'], ['5', '6']])

    assert.deepEqual(countsOf(result), [1, 2, 0, 0, 2])
    assert.deepEqual(
      result.rejected.map(({ row, code }) => [row, code]),
      [
        [1, DROPPED],
        [3, DROPPED],
      ],
    )
    assert.match(result.rejected[0]?.message ?? '', /trigger/)
    assert.deepEqual(await all(target), [
      ['1', '6'],
      ['2', '5'],
      ['3', '6'],
      ['5', '6'],
    ])
  })

  for (const [type, one, other] of [
    ['int', '1', '01'],
    ['decimal(5,2)', '1.5', '1.50'],
    ['uuid', '11111111-2222-3333-4444-55555555555a', '11111111-2222-3333-4444-55555555555A'],
    ['inet6', '::1', '0:0:0:0:0:0:0:1'],
    ["set('a','b')", 'a,b', 'b,a'],
    ['date', '2024-01-02', '2024-1-2'],
    ['varchar(9) COLLATE utf8mb4_bin', 'a', 'a '],
    ['varchar(9) COLLATE utf8mb4_unicode_ci', 'a', 'A'],
  ] as const) {
    test(`two spellings of one key are both rejected: ${type}`, async () => {
      const target = await tableOf(`id ${type} PRIMARY KEY, v int`)

      const result = await server.merge(target, [
        [one, '1'],
        [other, '2'],
        [one, '3'],
      ])

      assert.deepEqual(countsOf(result), [0, 0, 0, 0, 3])
      assert.ok(result.rejected.every(({ code }) => code === OTHER_SPELLING))
      assert.ok(result.rejected[0]?.message.includes(JSON.stringify([other])), result.rejected[0]?.message)
      assert.deepEqual(await all(target), [])
    })
  }

  test('a number has no spelling in the table, a text has one', async () => {
    const number = await tableOf('id int PRIMARY KEY, v int')
    const text = await tableOf('id varchar(9) COLLATE utf8mb4_unicode_ci PRIMARY KEY, v int')
    await server.merge(number, [['1', '1']])
    await server.merge(text, [['Ann', '1']])

    const met = await server.merge(number, [['01', '2']])
    const refused = await server.merge(text, [
      ['ANN', '2'],
      ['bob', '1'],
    ])
    const added = await server.merge({ ...text, mode: 'insert' }, [['ANN', '2']])

    assert.deepEqual(countsOf(met), [0, 1, 0, 0, 0])
    assert.deepEqual(countsOf(refused), [1, 0, 0, 0, 1])
    assert.deepEqual([refused.rejected[0]?.code, added.rejected[0]?.code], [OTHER_SPELLING, OTHER_SPELLING])
    assert.match(refused.rejected[0]?.message ?? '', /"Ann"/)
    assert.deepEqual(await all(text), [
      ['Ann', '1'],
      ['bob', '1'],
    ])
  })

  test('with respell a row takes the place of the one that is spelled differently', async () => {
    const target = await tableOf('id varchar(9) COLLATE utf8mb4_unicode_ci PRIMARY KEY, v int', { respell: true })
    await server.merge(target, [
      ['Ann', '1'],
      ['bob', '1'],
      ['cy', '1'],
    ])

    const result = await server.merge(target, [
      ['ANN', '1'],
      ['BOB', '2'],
      ['cy', '1'],
    ])

    assert.deepEqual(countsOf(result), [0, 2, 1, 0, 0])
    assert.deepEqual(await all(target), [
      ['ANN', '1'],
      ['BOB', '2'],
      ['cy', '1'],
    ])
  })

  test('a NULL in the key of an upsert is rejected each time', async () => {
    const target = await tableOf('id bigint NULL UNIQUE, v int')

    const results = [
      await server.merge(target, [
        ['1', '1'],
        [null, '2'],
      ]),
      await server.merge(target, [[null, '2']]),
    ]

    assert.deepEqual(results.map(countsOf), [
      [1, 0, 0, 0, 1],
      [0, 0, 0, 0, 1],
    ])
    assert.deepEqual(await all(target), [['1', '1']])
  })

  test('rows whose parent comes later, or whose value another row gives up, land', async () => {
    const tree = await tableOf('id int PRIMARY KEY, v int NULL', {})
    await server.query(`ALTER TABLE ${tree.table} ADD FOREIGN KEY (v) REFERENCES ${tree.table} (id)`)
    const unique = await tableOf('id int PRIMARY KEY, v varchar(9) UNIQUE')
    await server.merge(unique, [
      ['1', 'a'],
      ['2', 'b'],
    ])

    const family = await server.merge(tree, [
      ['4', '3'],
      ['3', '2'],
      ['2', '1'],
      ['1', null],
      ['5', '99'],
    ])
    const moved = await server.merge(unique, [
      ['3', 'a'],
      ['2', 'a'],
      ['1', 'c'],
    ])

    assert.deepEqual([family.inserted, family.rejected.map(({ row }) => row)], [4, [4]])
    assert.deepEqual([moved.inserted + moved.updated, moved.rejected.length], [2, 1])
  })
})
