import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { Text } from 'dray/internal/block/block.ts'
import type { MergeTarget } from 'dray/internal/database/adapter.ts'
import { CHECK_VIOLATED } from '#test/services/mysql-speech.ts'
import { type OpenedServer, openServer, outcomeOf, skip } from './opened-server.ts'

const person: MergeTarget = { table: 'person', columns: ['id', 'email', 'name'], key: ['id'] }
const BAD: readonly Text[] = ['99', 'bad@x', 'refused']
const REQUIRED =
  "CREATE TABLE person (id bigint PRIMARY KEY, email varchar(9) NOT NULL UNIQUE, name varchar(9) CHECK (name <> 'refused'))"
const TABLES = {
  'that may be NULL': REQUIRED.replace(' NOT NULL UNIQUE', ' UNIQUE'),
  'that is required': REQUIRED,
}

describe('rows that land together on MySQL', { skip }, () => {
  let server: OpenedServer
  before(async () => {
    server = await openServer()
  })
  after(() => server.close())
  beforeEach(() => server.query('DROP TABLE IF EXISTS child, person'))

  const emails = async () =>
    (await server.query('SELECT id, email FROM person ORDER BY id')).map((row) => row.join(' '))
  const put = (count: number) =>
    server.merge(
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
          await server.query(create)
          await put(2)

          const result = await server.merge(person, [['1', '2@x', 'n'], ['2', '1@x', 'n'], ['3', '3@x', 'n'], ...more])

          assert.deepEqual(outcomeOf(result), [1, 2, 0, 0, ...more.map(() => `3: ${CHECK_VIOLATED}`)])
          assert.deepEqual(await emails(), ['1 2@x', '2 1@x', '3 3@x'])
        })

        test(`are a ring of seven, and one that waits for it, ${others}`, async () => {
          await server.query(create)
          await put(7)
          const turned = Array.from({ length: 7 }, (_, index) => [String(index + 1), `${((index + 1) % 7) + 1}@x`, 'n'])

          const result = await server.merge(person, [['8', '9@x', 'n'], ...turned, ...more])

          assert.deepEqual(outcomeOf(result), [1, 7, 0, 0, ...more.map(() => `8: ${CHECK_VIOLATED}`)])
          assert.deepEqual(await emails(), [...turned.map((row) => `${row[0]} ${row[1]}`), '8 9@x'])
        })
      }

      test('are not those whose value a row of somebody else keeps', async () => {
        await server.query(create)
        await put(5)

        const result = await server.merge(person, [
          ['1', '2@x', 'n'],
          ['2', '1@x', 'n'],
          ['3', '4@x', 'n'],
          ['4', '5@x', 'n'],
        ])

        assert.deepEqual(outcomeOf(result), [0, 2, 0, 0, '2: 1062', '3: 1062'])
        assert.deepEqual(await emails(), ['1 2@x', '2 1@x', '3 3@x', '4 4@x', '5 5@x'])
      })

      test('are a ring whose values others want as well, whichever come first', async () => {
        await server.query(create)
        await put(6)

        const result = await server.merge(person, [
          ['5', '1@x', 'n'],
          ['1', '2@x', 'n'],
          ['4', '5@x', 'n'],
          ['2', '3@x', 'n'],
          ['3', '1@x', 'n'],
          ['6', '3@x', 'n'],
        ])

        assert.deepEqual(outcomeOf(result), [0, 3, 0, 0, '0: 1062', '2: 1062', '5: 1062'])
        assert.deepEqual(await emails(), ['1 2@x', '2 3@x', '3 1@x', '4 4@x', '5 5@x', '6 6@x'])
      })

      test('are not two that want the same value; none is lost', async () => {
        await server.query(create)
        await put(3)

        const result = await server.merge(person, [
          ['1', '2@x', 'n'],
          ['2', '1@x', 'n'],
          ['3', '1@x', 'n'],
        ])

        assert.deepEqual(outcomeOf(result), [0, 2, 0, 0, '2: 1062'])
        assert.deepEqual(await emails(), ['1 2@x', '2 1@x', '3 3@x'])
      })
    })
  }

  test('are rejected with the reason where another table refers to theirs', async () => {
    await server.query(REQUIRED)
    await server.query(
      'CREATE TABLE child (person bigint, FOREIGN KEY (person) REFERENCES person (id) ON DELETE CASCADE)',
    )
    await put(2)
    await server.query('INSERT INTO child VALUES (1), (2)')

    const result = await server.merge(person, [
      ['1', '2@x', 'n'],
      ['2', '1@x', 'n'],
    ])

    assert.deepEqual(outcomeOf(result), [0, 0, 0, 0, '0: 1062', '1: 1062'])
    assert.match(result.rejected[0]?.message ?? '', /only together.*allow NULL/)
    assert.deepEqual(await emails(), ['1 1@x', '2 2@x'])
    assert.deepEqual(await server.query('SELECT COUNT(*) FROM child'), [['2']])
  })

  test('never take along the rows of a table that refers to the value', async () => {
    await server.query(TABLES['that may be NULL'])
    await server.query(
      'CREATE TABLE child (email varchar(9), FOREIGN KEY (email) REFERENCES person (email) ON UPDATE CASCADE)',
    )
    await put(2)
    await server.query("INSERT INTO child VALUES ('1@x'), ('2@x')")

    const result = await server.merge(person, [
      ['1', '2@x', 'n'],
      ['2', '1@x', 'n'],
    ])

    assert.deepEqual(outcomeOf(result), [0, 0, 0, 0, '0: 1062', '1: 1062'])
    assert.deepEqual(await server.query('SELECT email FROM child ORDER BY email'), [['1@x'], ['2@x']])
  })

  test('are rejected where the load does not have every column, and these keep what they hold', async () => {
    await server.query(REQUIRED)
    await server.query("ALTER TABLE person ADD hobby varchar(9) DEFAULT 'chess'")
    await put(2)
    await server.query("UPDATE person SET hobby = 'go'")

    const result = await server.merge(person, [
      ['1', '2@x', 'n'],
      ['2', '1@x', 'n'],
    ])

    assert.deepEqual(outcomeOf(result), [0, 0, 0, 0, '0: 1062', '1: 1062'])
    assert.deepEqual(await server.query('SELECT DISTINCT hobby FROM person'), [['go']])
  })

  test('are those beside rows that a trigger refuses, with whatever number', async () => {
    await server.query('CREATE TABLE person (id bigint PRIMARY KEY, email varchar(40), name varchar(9))')
    await server.query(`CREATE TRIGGER refuse BEFORE INSERT ON person FOR EACH ROW BEGIN
      IF NEW.id = 2 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'two'; END IF;
      IF NEW.id = 3 THEN SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 5001, MESSAGE_TEXT = 'three'; END IF;
      IF NEW.id = 4 THEN SIGNAL SQLSTATE '77000' SET MESSAGE_TEXT = 'four'; END IF; END`)

    const result = await server.merge(
      person,
      ['1', '2', '3', '4', '5'].map((id) => [id, `${id}@x`, 'n']),
    )

    assert.deepEqual(outcomeOf(result), [2, 0, 0, 0, '1: 1644', '2: 1644', '3: 1644'])
  })

  test('are children whose parents come later in the same load, beside rows that are refused', async () => {
    await server.query(
      "CREATE TABLE person (id bigint PRIMARY KEY, parent bigint REFERENCES person (id), name varchar(9) CHECK (name <> 'refused'))",
    )
    const chain = Array.from({ length: 40 }, (_, index) => [
      String(index + 1),
      index === 39 ? null : String(index + 2),
      'n',
    ])
    const bad = (id: number) => [String(id), null, 'refused']

    const result = await server.merge({ ...person, columns: ['id', 'parent', 'name'] }, [
      bad(101),
      ...chain.slice(0, 20),
      bad(102),
      ...chain.slice(20),
      ['50', '60', 'n'],
    ])

    assert.deepEqual(outcomeOf(result), [40, 0, 0, 0, `0: ${CHECK_VIOLATED}`, `21: ${CHECK_VIOLATED}`, '42: 1452'])
  })

  test('are rows whose unique value another row gives up', async () => {
    await server.query(REQUIRED)
    await put(3)

    const result = await server.merge(person, [
      ['4', '1@x', 'n'],
      ['1', '2@x', 'n'],
      ['2', '3@x', 'n'],
      ['3', '4@x', 'n'],
      BAD,
    ])

    assert.deepEqual(outcomeOf(result), [1, 3, 0, 0, `4: ${CHECK_VIOLATED}`])
    assert.deepEqual(await emails(), ['1 2@x', '2 3@x', '3 4@x', '4 1@x'])
  })
})
