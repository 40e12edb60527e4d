import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { Text } from 'dray/internal/block/block.ts'
import type { MergeTarget } from 'dray/internal/database/adapter.ts'
import { type OpenedFile, openFile, outcomeOf } from './opened-file.ts'

const person: MergeTarget = { table: 'person', columns: ['id', 'email', 'name'], key: ['id'] }
const BAD: readonly Text[] = ['99', 'bad@x', 'refused']
const REQUIRED =
  "CREATE TABLE person (id bigint PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT CHECK (name <> 'refused'))"
const TABLES = {
  'that may be NULL': REQUIRED.replace(' NOT NULL UNIQUE', ' UNIQUE'),
  'that is required': REQUIRED,
}

describe('rows that land together on SQLite', () => {
  let file: OpenedFile
  before(async () => {
    file = await openFile()
  })
  after(() => file.close())
  beforeEach(async () => {
    await file.query('DROP TABLE IF EXISTS child')
    await file.query('DROP TABLE IF EXISTS person')
  })

  const emails = async () => (await file.query('SELECT id, email FROM person ORDER BY id')).map((row) => row.join(' '))
  const put = (count: number) =>
    file.merge(
      person,
      Array.from({ length: count }, (_, index) => [String(index + 1), `${index + 1}@x`, 'n']),
    )

  for (const [which, create] of Object.entries(TABLES)) {
    describe(`by a unique key ${which}`, () => {
      for (const [others, more] of [
        ['alone', []],
        ['beside a row that is refused', [BAD]],
      ] as const) {
        test(`are two that swap their values, ${others}`, async () => {
          await file.query(create)
          await put(2)

          const result = await file.merge(person, [['1', '2@x', 'n'], ['2', '1@x', 'n'], ['3', '3@x', 'n'], ...more])

          assert.deepEqual(outcomeOf(result), [1, 2, 0, 0, ...more.map(() => '3: 275')])
          assert.deepEqual(await emails(), ['1 2@x', '2 1@x', '3 3@x'])
        })

        test(`are a ring of seven, and one that waits for it, ${others}`, async () => {
          await file.query(create)
          await put(7)
          const turned = Array.from({ length: 7 }, (_, index) => [String(index + 1), `${((index + 1) % 7) + 1}@x`, 'n'])

          const result = await file.merge(person, [['8', '9@x', 'n'], ...turned, ...more])

          assert.deepEqual(outcomeOf(result), [1, 7, 0, 0, ...more.map(() => '8: 275')])
          assert.deepEqual(await emails(), [...turned.map((row) => `${row[0]} ${row[1]}`), '8 9@x'])
        })
      }

      test('are not those whose value a row of somebody else keeps', async () => {
        await file.query(create)
        await put(5)

        const result = await file.merge(person, [
          ['1', '2@x', 'n'],
          ['2', '1@x', 'n'],
          ['3', '4@x', 'n'],
          ['4', '5@x', 'n'],
        ])

        assert.deepEqual(outcomeOf(result), [0, 2, 0, 0, '2: 2067', '3: 2067'])
        assert.deepEqual(await emails(), ['1 2@x', '2 1@x', '3 3@x', '4 4@x', '5 5@x'])
      })

      test('are a ring whose values others want as well, whichever come first', async () => {
        await file.query(create)
        await put(6)

        const result = await file.merge(person, [
          ['5', '1@x', 'n'],
          ['1', '2@x', 'n'],
          ['4', '5@x', 'n'],
          ['2', '3@x', 'n'],
          ['3', '1@x', 'n'],
          ['6', '3@x', 'n'],
        ])

        assert.deepEqual(outcomeOf(result), [0, 3, 0, 0, '0: 2067', '2: 2067', '5: 2067'])
        assert.deepEqual(await emails(), ['1 2@x', '2 3@x', '3 1@x', '4 4@x', '5 5@x', '6 6@x'])
      })

      test('are not two that want the same value; none is lost', async () => {
        await file.query(create)
        await put(3)

        const result = await file.merge(person, [
          ['1', '2@x', 'n'],
          ['2', '1@x', 'n'],
          ['3', '1@x', 'n'],
        ])

        assert.deepEqual(outcomeOf(result), [0, 2, 0, 0, '2: 2067'])
        assert.deepEqual(await emails(), ['1 2@x', '2 1@x', '3 3@x'])
      })
    })
  }

  test('are rejected with the reason where another table refers to theirs', async () => {
    await file.query(REQUIRED)
    await file.query(
      'CREATE TABLE child (person bigint, FOREIGN KEY (person) REFERENCES person (id) ON DELETE CASCADE)',
    )
    await put(2)
    await file.query('INSERT INTO child VALUES (1), (2)')

    const result = await file.merge(person, [
      ['1', '2@x', 'n'],
      ['2', '1@x', 'n'],
    ])

    assert.deepEqual(outcomeOf(result), [0, 0, 0, 0, '0: 2067', '1: 2067'])
    assert.match(result.rejected[0]?.message ?? '', /only together.*allow NULL/)
    assert.deepEqual(await emails(), ['1 1@x', '2 2@x'])
    assert.deepEqual(await file.query('SELECT COUNT(*) FROM child'), [['2']])
  })

  test('never take along the rows of a table that refers to the value', async () => {
    await file.query(TABLES['that may be NULL'])
    await file.query('CREATE TABLE child (email TEXT, FOREIGN KEY (email) REFERENCES person (email) ON UPDATE CASCADE)')
    await put(2)
    await file.query("INSERT INTO child VALUES ('1@x'), ('2@x')")

    const result = await file.merge(person, [
      ['1', '2@x', 'n'],
      ['2', '1@x', 'n'],
    ])

    assert.deepEqual(outcomeOf(result), [0, 0, 0, 0, '0: 2067', '1: 2067'])
    assert.deepEqual(await file.query('SELECT email FROM child ORDER BY email'), [['1@x'], ['2@x']])
  })

  test('are rejected where the load does not have every column, and these keep what they hold', async () => {
    await file.query(REQUIRED)
    await file.query("ALTER TABLE person ADD hobby TEXT DEFAULT 'chess'")
    await put(2)
    await file.query("UPDATE person SET hobby = 'go'")

    const result = await file.merge(person, [
      ['1', '2@x', 'n'],
      ['2', '1@x', 'n'],
    ])

    assert.deepEqual(outcomeOf(result), [0, 0, 0, 0, '0: 2067', '1: 2067'])
    assert.deepEqual(await file.query('SELECT DISTINCT hobby FROM person'), [['go']])
  })

  test('are children whose parents come later in the same load, beside rows that are refused', async () => {
    await file.query(
      "CREATE TABLE person (id bigint PRIMARY KEY, parent bigint REFERENCES person (id), name TEXT CHECK (name <> 'refused'))",
    )
    const chain = Array.from({ length: 40 }, (_, index) => [
      String(index + 1),
      index === 39 ? null : String(index + 2),
      'n',
    ])
    const bad = (id: number) => [String(id), null, 'refused']

    const result = await file.merge({ ...person, columns: ['id', 'parent', 'name'] }, [
      bad(101),
      ...chain.slice(0, 20),
      bad(102),
      ...chain.slice(20),
      ['50', '60', 'n'],
    ])

    assert.deepEqual(outcomeOf(result), [40, 0, 0, 0, '0: 275', '21: 275', '42: 787'])
  })

  test('are rows whose unique value another row gives up', async () => {
    await file.query(REQUIRED)
    await put(3)

    const result = await file.merge(person, [
      ['4', '1@x', 'n'],
      ['1', '2@x', 'n'],
      ['2', '3@x', 'n'],
      ['3', '4@x', 'n'],
      BAD,
    ])

    assert.deepEqual(outcomeOf(result), [1, 3, 0, 0, '4: 275'])
    assert.deepEqual(await emails(), ['1 2@x', '2 3@x', '3 4@x', '4 1@x'])
  })

  describe('where a foreign key is deferred to COMMIT', () => {
    const DEFERRED = 'DEFERRABLE INITIALLY DEFERRED'
    const member: MergeTarget = { table: 'child', columns: ['id', 'parent'], key: ['id'] }
    const members = () => file.query('SELECT id, parent FROM child ORDER BY id')

    test('a row that refers to nothing is refused alone, and says what is missing', async () => {
      await file.query(`CREATE TABLE child (id bigint PRIMARY KEY, parent bigint REFERENCES child ${DEFERRED})`)

      const result = await file.merge(member, [
        ['1', '9'],
        ['2', '3'],
        ['3', '2'],
        ['4', '1'],
        ['5', null],
      ])

      assert.deepEqual(outcomeOf(result), [3, 0, 0, 0, '0: 787', '3: 787'])
      assert.match(result.rejected[0]?.message ?? '', /child \(parent\) would refer to a row of child \(id\)/)
      assert.deepEqual(await members(), [
        ['2', '3'],
        ['3', '2'],
        ['5', null],
      ])
    })

    test('a long chain that hangs on nothing is refused, and the rows beside it land', async () => {
      await file.query(`CREATE TABLE child (id bigint PRIMARY KEY, parent bigint REFERENCES child ${DEFERRED})`)
      const chain = Array.from({ length: 60 }, (_, index) => [String(index + 1), String(index === 0 ? 999 : index)])

      const result = await file.merge(member, [...chain, ['100', '101'], ['101', '102'], ['102', null]])

      assert.deepEqual([result.inserted, result.rejected.length], [3, 60])
      assert.equal((await members()).length, 3)
    })

    test('a row is refused that would take its value away from rows that refer to it', async () => {
      await file.query(TABLES['that may be NULL'])
      await file.query(`CREATE TABLE child (email TEXT REFERENCES person (email) ${DEFERRED})`)
      await put(3)
      await file.query("INSERT INTO child VALUES ('1@x')")

      const result = await file.merge(person, [
        ['1', '7@x', 'n'],
        ['2', '8@x', 'n'],
      ])

      assert.deepEqual(outcomeOf(result), [0, 1, 0, 0, '0: 787'])
      assert.deepEqual(await emails(), ['1 1@x', '2 8@x', '3 3@x'])
    })

    test('an insert that refers to nothing is refused alone, without a key as well', async () => {
      await file.query(TABLES['that may be NULL'])
      await file.query(`CREATE TABLE child (email TEXT REFERENCES person (email) ${DEFERRED})`)
      await put(1)

      const into: MergeTarget = { table: 'child', columns: ['email'], key: [], mode: 'insert' }
      const result = await file.merge(into, [['1@x'], ['9@x'], [null]])

      assert.deepEqual(outcomeOf(result), [2, 0, 0, 0, '1: 787'])
    })
  })
})
