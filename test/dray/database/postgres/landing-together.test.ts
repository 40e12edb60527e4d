import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { Text } from 'dray/internal/block/block.ts'
import type { MergeTarget } from 'dray/internal/database/adapter.ts'
import { type OpenedServer, openServer, outcomeOf } from './opened-server.ts'

let server: OpenedServer
before(async () => {
  server = await openServer()
})
after(() => server.close())
beforeEach(async () => {
  await server.query('DROP TABLE IF EXISTS child, person CASCADE; DROP TABLE IF EXISTS seen')
})

const person: MergeTarget = { table: 'person', columns: ['id', 'email', 'name'], key: ['id'] }
const BAD: readonly Text[] = ['99', 'bad@x', 'refused']

const emails = async () => (await server.query('SELECT id, email FROM person ORDER BY id')).map((row) => row.join(' '))

const TABLES = {
  'that may be NULL':
    'CREATE TABLE person (id bigint PRIMARY KEY, email text UNIQUE, name text CHECK (name <> $$refused$$))',
  'that is required':
    'CREATE TABLE person (id bigint PRIMARY KEY, email text NOT NULL UNIQUE, name text CHECK (name <> $$refused$$))',
  'that is deferrable':
    'CREATE TABLE person (id bigint PRIMARY KEY, email text NOT NULL UNIQUE DEFERRABLE, name text CHECK (name <> $$refused$$))',
  'that is deferred':
    'CREATE TABLE person (id bigint PRIMARY KEY, email text NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED, name text CHECK (name <> $$refused$$))',
  'by an expression, for some rows':
    'CREATE TABLE person (id bigint PRIMARY KEY, email text NOT NULL, name text CHECK (name <> $$refused$$)); CREATE UNIQUE INDEX ON person (lower(email)) WHERE id < 1000',
}

for (const [which, create] of Object.entries(TABLES)) {
  describe(`rows that take each other's value of a unique key ${which}`, () => {
    for (const [others, more] of [
      ['alone', []],
      ['beside a row that is refused', [BAD]],
    ] as const) {
      test(`land when two of them swap, ${others}`, async () => {
        await server.query(create)
        await server.merge(person, [
          ['1', 'a@x', 'a'],
          ['2', 'b@x', 'b'],
        ])

        const result = await server.merge(person, [['1', 'b@x', 'a'], ['2', 'a@x', 'b'], ['3', 'c@x', 'c'], ...more])

        assert.deepEqual(outcomeOf(result), [1, 2, 0, 0, ...more.map(() => '3: 23514')])
        assert.deepEqual(await emails(), ['1 b@x', '2 a@x', '3 c@x'])
      })

      test(`land when a ring of seven turns, and others wait for it, ${others}`, async () => {
        await server.query(create)
        const ring = Array.from({ length: 7 }, (_, index) => index + 1)
        await server.merge(
          person,
          ring.map((id) => [String(id), `${id}@x`, 'n']),
        )
        const turned = ring.map((id) => [String(id), `${(id % 7) + 1}@x`, 'n'])

        const result = await server.merge(person, [['8', '9@x', 'n'], ...turned, ...more])

        assert.deepEqual(outcomeOf(result), [1, 7, 0, 0, ...more.map(() => '8: 23514')])
        assert.deepEqual(await emails(), [...turned.map((row) => `${row[0]} ${row[1]}`), '8 9@x'])
      })
    }

    test('land but for those that wait, one for the other, for a value which a row of somebody else keeps', async () => {
      await server.query(create)
      const all = Array.from({ length: 20 }, (_, index) => index + 1)
      await server.merge(
        person,
        all.map((id) => [String(id), `${id}@x`, 'n']),
      )
      const waiting = all.slice(2, 19)

      const result = await server.merge(person, [
        ['1', '2@x', 'n'],
        ['2', '1@x', 'n'],
        ...waiting.map((id) => [String(id), `${id + 1}@x`, 'n']),
      ])

      assert.deepEqual(outcomeOf(result), [0, 2, 0, 0, ...waiting.map((_, index) => `${index + 2}: 23505`)])
      assert.deepEqual(await emails(), ['1 2@x', '2 1@x', ...all.slice(2).map((id) => `${id} ${id}@x`)])
    })

    test('land when they are a ring whose values others want as well, whichever come first', async () => {
      await server.query(create)
      await server.merge(
        person,
        ['1', '2', '3', '4', '5', '6'].map((id) => [id, `${id}@x`, 'n']),
      )

      const result = await server.merge(person, [
        ['5', '1@x', 'n'],
        ['1', '2@x', 'n'],
        ['4', '5@x', 'n'],
        ['2', '3@x', 'n'],
        ['3', '1@x', 'n'],
        ['6', '3@x', 'n'],
      ])

      assert.deepEqual(outcomeOf(result), [0, 3, 0, 0, '0: 23505', '2: 23505', '5: 23505'])
      assert.deepEqual(await emails(), ['1 2@x', '2 3@x', '3 1@x', '4 4@x', '5 5@x', '6 6@x'])
    })

    test('are rejected, not lost, when two rows want the same value', async () => {
      await server.query(create)
      await server.merge(
        person,
        ['1', '2', '3'].map((id) => [id, `${id}@x`, 'n']),
      )

      const result = await server.merge(person, [
        ['1', '2@x', 'n'],
        ['2', '1@x', 'n'],
        ['3', '1@x', 'n'],
      ])

      assert.equal(result.updated + result.rejected.length, 3)
      const ids = (await emails()).map((line) => line.split(' ')[0])
      assert.deepEqual(ids, ['1', '2', '3'])
      for (const { row, code } of result.rejected) assert.deepEqual([code, row >= 0], ['23505', true])
    })
  })
}

describe('rows that swap values which cannot be parked', () => {
  test('are rejected with the reason where another table refers to theirs', async () => {
    await server.query(`${TABLES['that is required']}; CREATE TABLE child (person bigint REFERENCES person)`)
    await server.merge(person, [
      ['1', 'a@x', 'a'],
      ['2', 'b@x', 'b'],
    ])

    const result = await server.merge(person, [
      ['1', 'b@x', 'a'],
      ['2', 'a@x', 'b'],
    ])

    assert.deepEqual(outcomeOf(result), [0, 0, 0, 0, '0: 23505', '1: 23505'])
    assert.match(result.rejected[0]?.message ?? '', /only together.*allow NULL/)
    assert.deepEqual(await emails(), ['1 a@x', '2 b@x'])
  })

  test('never take along the rows of a table that refers to the value', async () => {
    await server.query(
      `${TABLES['that may be NULL']}; CREATE TABLE child (email text REFERENCES person (email) ON UPDATE CASCADE)`,
    )
    await server.merge(person, [
      ['1', 'a@x', 'a'],
      ['2', 'b@x', 'b'],
    ])
    await server.query("INSERT INTO child VALUES ('a@x'), ('b@x')")

    const result = await server.merge(person, [
      ['1', 'b@x', 'a'],
      ['2', 'a@x', 'b'],
    ])

    assert.deepEqual(outcomeOf(result), [0, 0, 0, 0, '0: 23505', '1: 23505'])
    assert.deepEqual(await server.query('SELECT email FROM child ORDER BY email'), [['a@x'], ['b@x']])
  })

  test('are rejected where the load does not have every column, and these keep what they hold', async () => {
    await server.query(`${TABLES['that is required']}; ALTER TABLE person ADD hobby text DEFAULT 'chess'`)
    await server.merge(person, [
      ['1', 'a@x', 'a'],
      ['2', 'b@x', 'b'],
    ])
    await server.query("UPDATE person SET hobby = 'go'")

    const result = await server.merge(person, [
      ['1', 'b@x', 'a'],
      ['2', 'a@x', 'b'],
    ])

    assert.deepEqual(outcomeOf(result), [0, 0, 0, 0, '0: 23505', '1: 23505'])
    assert.deepEqual(await server.query('SELECT DISTINCT hobby FROM person'), [['go']])
  })
})

describe('rows that others have to come before', () => {
  const tree: MergeTarget = { table: 'person', columns: ['id', 'parent', 'name'], key: ['id'] }

  test('land when their parents come later in the same load, beside rows that are refused', async () => {
    await server.query(
      'CREATE TABLE person (id bigint PRIMARY KEY, parent bigint REFERENCES person, name text CHECK (name <> $$refused$$))',
    )
    const chain = Array.from({ length: 40 }, (_, index) => [
      String(index + 1),
      index === 39 ? null : String(index + 2),
      'n',
    ])
    const bad = (id: number) => [String(id), null, 'refused']

    const result = await server.merge(tree, [
      bad(101),
      ...chain.slice(0, 20),
      bad(102),
      ...chain.slice(20),
      ['50', '60', 'n'],
    ])

    assert.deepEqual(outcomeOf(result), [40, 0, 0, 0, '0: 23514', '21: 23514', '42: 23503'])
  })

  const POSTPONED = ['', 'DEFERRABLE INITIALLY DEFERRED'] as const
  for (const when of POSTPONED) {
    test(`land in a circle, beside rows that are refused and all that hangs on those ${when}`, async () => {
      await server.query(
        `CREATE TABLE person (id bigint PRIMARY KEY, parent bigint REFERENCES person ${when}, name text CHECK (name <> $$refused$$))`,
      )
      await server.merge(tree, [['60', null, 'n']])

      const result = await server.merge(tree, [
        ['1', '3', 'n'],
        ['2', '1', 'n'],
        ['3', '2', 'n'],
        ['4', null, 'refused'],
        ['5', '6', 'n'],
        ['6', '5', 'n'],
        ['7', '5', 'n'],
        ['8', '9', 'n'],
        ['9', '4', 'n'],
        ['10', '60', 'n'],
        ['11', '70', 'n'],
      ])

      assert.deepEqual(outcomeOf(result), [7, 0, 0, 0, '3: 23514', '7: 23503', '8: 23503', '10: 23503'])
    })
  }

  test('land in as many statements as there are few, however many of them there are beside a row that is refused', async () => {
    await server.query(`CREATE TABLE person (id bigint PRIMARY KEY, parent bigint REFERENCES person, name text CHECK (name <> $$refused$$));
      CREATE TABLE seen (statement int);
      CREATE OR REPLACE FUNCTION count_one() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('statements'); RETURN NULL; END $$;
      DROP SEQUENCE IF EXISTS statements; CREATE SEQUENCE statements;
      CREATE TRIGGER count_one BEFORE INSERT ON person FOR EACH STATEMENT EXECUTE FUNCTION count_one()`)
    const rows = Array.from({ length: 1_200 }, (_, id) => [String(id + 1), id === 1_199 ? null : String(id + 2), 'n'])
    rows.splice(600, 0, ['5000', null, 'refused'])

    const result = await server.merge(tree, rows)

    assert.deepEqual(outcomeOf(result), [1_200, 0, 0, 0, '600: 23514'])
    const [[statements] = []] = await server.query('SELECT last_value FROM statements')
    assert.ok(Number(statements) < 60, `${statements} statements`)
  })

  test('land when another row gives their unique value up', async () => {
    await server.query(TABLES['that is required'])
    await server.merge(person, [
      ['1', 'a@x', 'a'],
      ['2', 'b@x', 'b'],
      ['3', 'c@x', 'c'],
    ])

    const result = await server.merge(person, [
      ['4', 'a@x', 'n'],
      ['1', 'b@x', 'a'],
      ['2', 'c@x', 'b'],
      ['3', 'd@x', 'c'],
      BAD,
    ])

    assert.deepEqual(outcomeOf(result), [1, 3, 0, 0, '4: 23514'])
    assert.deepEqual(await emails(), ['1 b@x', '2 c@x', '3 d@x', '4 a@x'])
  })

  test('land when a trigger refuses, or drops, children without a parent', async () => {
    await server.query('CREATE TABLE person (id bigint PRIMARY KEY, parent bigint, name text)')
    for (const refusal of ["RAISE EXCEPTION 'no parent'", 'RETURN NULL']) {
      await server.query(`DELETE FROM person; CREATE OR REPLACE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.parent IS NOT NULL AND NOT EXISTS (SELECT 1 FROM person WHERE id = NEW.parent) THEN ${refusal}; END IF; RETURN NEW; END $$;
        CREATE OR REPLACE TRIGGER look BEFORE INSERT ON person FOR EACH ROW EXECUTE FUNCTION look()`)

      const result = await server.merge(tree, [
        ['1', '2', 'n'],
        ['2', '3', 'n'],
        ['3', null, 'n'],
      ])

      assert.deepEqual(outcomeOf(result), [3, 0, 0, 0], refusal)
    }
  })
})

describe('what PostgreSQL would judge at COMMIT', () => {
  test('is judged within the merge, a row at a time: foreign keys, unique keys, triggers', async () => {
    await server.query(`CREATE TABLE person (id bigint PRIMARY KEY, email text UNIQUE DEFERRABLE INITIALLY DEFERRED,
        parent bigint REFERENCES person DEFERRABLE INITIALLY DEFERRED);
      CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.id = 7 THEN RAISE EXCEPTION 'seven is no person'; END IF; RETURN NULL; END $$;
      CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON person DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()`)
    const into = { table: 'person', columns: ['id', 'email', 'parent'], key: ['id'] }
    await server.merge(into, [['1', 'a@x', null]])

    const result = await server.merge(into, [
      ['2', 'a@x', null],
      ['3', 'c@x', '77'],
      ['4', 'd@x', '5'],
      ['5', 'e@x', null],
      ['7', 'g@x', null],
    ])

    assert.deepEqual(outcomeOf(result), [2, 0, 0, 0, '0: 23505', '1: 23503', '4: P0001'])
    assert.deepEqual(await server.query('SELECT id FROM person ORDER BY id'), [['1'], ['4'], ['5']])
  })

  test('is judged where a trigger writes into another table', async () => {
    await server.query(`CREATE TABLE person (id bigint PRIMARY KEY, name text);
      CREATE TABLE child (id bigint, person bigint REFERENCES person DEFERRABLE INITIALLY DEFERRED);
      CREATE OR REPLACE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO child VALUES (NEW.id, CASE WHEN NEW.id = 2 THEN 999 ELSE NEW.id END); RETURN NEW; END $$;
      CREATE TRIGGER log BEFORE INSERT ON person FOR EACH ROW EXECUTE FUNCTION log()`)

    const result = await server.merge({ table: 'person', columns: ['id', 'name'], key: ['id'] }, [
      ['1', 'a'],
      ['2', 'b'],
    ])

    assert.deepEqual(outcomeOf(result), [1, 0, 0, 0, '1: 23503'])
  })

  test('is judged at COMMIT again, after the merge', async () => {
    await server.query(
      'CREATE TABLE person (id bigint PRIMARY KEY, parent bigint REFERENCES person DEFERRABLE INITIALLY DEFERRED)',
    )
    const { connection } = server
    await connection.begin('write')
    await connection.merge({ table: 'person', columns: ['id', 'parent'], key: ['id'] }, () => [
      { bytes: Buffer.from('1\t\\N\n'), rows: 1 },
    ])

    await connection.query('INSERT INTO person VALUES (2, 3)')
    await connection.query('INSERT INTO person VALUES (3, NULL)')

    await connection.commit()
    assert.deepEqual(await server.query('SELECT count(*) FROM person'), [['3']])
  })
})

describe('rows that are at fault by themselves', () => {
  test('are those that a trigger refuses, in whatever way', async () => {
    await server.query(`CREATE TABLE person (id bigint PRIMARY KEY, name text);
      CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE n int; BEGIN
        IF NEW.id = 2 THEN RAISE EXCEPTION 'two'; END IF; IF NEW.id = 3 THEN ASSERT false, 'three'; END IF;
        IF NEW.id = 4 THEN SELECT 1 INTO STRICT n WHERE false; END IF;
        IF NEW.id = 6 THEN RAISE EXCEPTION 'six' USING ERRCODE = 'U0006'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON person FOR EACH ROW EXECUTE FUNCTION refuse()`)

    const rows = ['1', '2', '3', '4', '5', '6'].map((id) => [id, 'n'])
    const result = await server.merge({ table: 'person', columns: ['id', 'name'], key: ['id'] }, rows)

    assert.deepEqual(outcomeOf(result), [2, 0, 0, 0, '1: P0001', '2: P0004', '3: P0002', '5: U0006'])
  })

  for (const type of ['json', 'jsonb']) {
    test(`are those that ${type} cannot hold: nested too deep, half of a surrogate pair, a key twice`, async () => {
      await server.query(`CREATE TABLE person (id bigint PRIMARY KEY, name ${type})`)
      const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
      const rows = [
        ['1', '{"a": 1}'],
        ['2', nested(20_000)],
        ['3', '"\\ud83d"'],
        ['4', '{"a": 1, "a": 2}'],
        ['5', '[]'],
        ['6', nested(6_500)],
      ]

      const result = await server.merge({ table: 'person', columns: ['id', 'name'], key: ['id'] }, rows)

      const codes = new Map(result.rejected.map(({ row, code }) => [row, code]))
      assert.deepEqual(
        [1, 2, 3].map((row) => codes.get(row)),
        type === 'json' ? [undefined, undefined, undefined] : ['54001', '22P02', '22030'],
      )
      assert.equal(result.inserted + result.rejected.length, 6)
      assert.ok(!codes.has(0) && !codes.has(4))
    })
  }
})
