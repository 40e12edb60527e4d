import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { MergeTarget } from 'dray/internal/database/adapter.ts'
import { blocksOf } from '#test/contracts/adapter.ts'
import { type OpenedServer, openServer, outcomeOf } from './opened-server.ts'

const target: MergeTarget = { table: 'item', columns: ['id', 'amount'], key: ['id'] }

/** Rows that are nothing but many, so that a merge takes the way of many. */
const others = (count: number) => Array.from({ length: count }, (_, index) => [String(1_000 + index), '1'])

let server: OpenedServer
before(async () => {
  server = await openServer()
})
after(() => server.close())
beforeEach(async () => {
  await server.query('DROP TABLE IF EXISTS item CASCADE; DROP TABLE IF EXISTS seen')
  await server.query('CREATE TABLE item (id bigint PRIMARY KEY, amount numeric)')
})

/** A trigger that drops the row of this id. */
async function drop(when: string, id = 2): Promise<void> {
  await server.query(`CREATE OR REPLACE FUNCTION drop_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.id = ${id} THEN RETURN NULL; END IF; RETURN NEW; END $$;
    CREATE TRIGGER drop_row ${when} FOR EACH ROW EXECUTE FUNCTION drop_row()`)
}

for (const [size, more] of [
  ['few', others(0)],
  ['many', others(700)],
] as const) {
  describe(`rows that PostgreSQL drops among ${size}`, () => {
    test('are rejected where a trigger keeps them from being inserted', async () => {
      await drop('BEFORE INSERT ON item')

      const result = await server.merge(target, [['1', '1'], ['2', '1'], ['3', '1'], ...more])

      assert.deepEqual(outcomeOf(result), [2 + more.length, 0, 0, 0, '1: dropped'])
      assert.match(result.rejected[0]?.message ?? '', /trigger.*NULL/)
      assert.deepEqual(await server.query('SELECT id FROM item WHERE id < 10 ORDER BY 1'), [['1'], ['3']])
    })

    test('are rejected where a trigger keeps them from being updated', async () => {
      await server.merge(target, [['1', '1'], ['2', '1'], ['3', '1'], ...more])
      await drop('BEFORE UPDATE ON item')

      const result = await server.merge(target, [['1', '9'], ['2', '9'], ['3', '1'], ['4', '1'], ...more])

      assert.deepEqual(outcomeOf(result), [1, 1, 1 + more.length, 0, '1: dropped'])
      assert.deepEqual(await server.query('SELECT amount FROM item WHERE id < 5 ORDER BY id'), [
        ['9'],
        ['1'],
        ['1'],
        ['1'],
      ])
    })

    test('are rejected where they are appended without a key', async () => {
      await drop('BEFORE INSERT ON item')

      const result = await server.merge({ ...target, key: [], mode: 'insert' }, [['1', '1'], ['2', '1'], ...more])

      assert.deepEqual(outcomeOf(result), [1 + more.length, 0, 0, 0, '1: dropped'])
    })

    test('are rejected where a policy hides them from the update', async () => {
      const role = `reader_${size}_${new URL(server.url).pathname.slice(1)}`
      await server.merge(target, [['1', '1'], ['2', '1'], ...more])
      await server.query(`CREATE ROLE ${role}; GRANT ALL ON item TO ${role}; GRANT CREATE ON SCHEMA public TO ${role};
        ALTER TABLE item ENABLE ROW LEVEL SECURITY;
        CREATE POLICY seen ON item FOR SELECT USING (true); CREATE POLICY added ON item FOR INSERT WITH CHECK (true);
        CREATE POLICY changed ON item FOR UPDATE USING (id <> 2)`)
      const { connection } = server
      await connection.begin('write')
      // As behind a pooler that drops the session's own setting, by which the server would refuse the statement.
      await connection.query(`SET LOCAL row_security = on; SET LOCAL ROLE ${role}`)

      const merging = connection.merge(target, blocksOf([['1', '9'], ['2', '9'], ...more]))

      const result = await merging.finally(() => connection.rollback())
      await server.query(`DROP TABLE item; DROP OWNED BY ${role}; DROP ROLE ${role}`)
      assert.deepEqual(outcomeOf(result), [0, 1, more.length, 0, '1: dropped'])
    })

    test('are rejected alone where a policy refuses them', async () => {
      const role = `writer_${size}_${new URL(server.url).pathname.slice(1)}`
      await server.query(`CREATE ROLE ${role}; GRANT ALL ON item TO ${role}; ALTER TABLE item ENABLE ROW LEVEL SECURITY;
        CREATE POLICY every ON item USING (true) WITH CHECK (id <> 2)`)
      const { connection } = server
      await connection.begin('write')
      // As behind a pooler that drops the session's own setting, by which the server would refuse the statement.
      await connection.query(`SET LOCAL row_security = on; SET LOCAL ROLE ${role}`)

      const merging = connection.merge(target, blocksOf([['1', '1'], ['2', '1'], ...more]))

      const result = await merging.finally(() => connection.rollback())
      await server.query(`DROP TABLE item; DROP OWNED BY ${role}; DROP ROLE ${role}`)
      assert.deepEqual(outcomeOf(result), [1 + more.length, 0, 0, 0, '1: 42501'])
    })

    test('are rejected where a trigger of a partition drops them', async () => {
      await server.query(`DROP TABLE item; CREATE TABLE item (id bigint PRIMARY KEY, amount numeric) PARTITION BY RANGE (id);
        CREATE TABLE item_low PARTITION OF item FOR VALUES FROM (0) TO (10);
        CREATE TABLE item_high PARTITION OF item FOR VALUES FROM (10) TO (100000)`)
      await drop('BEFORE INSERT ON item_low')

      const result = await server.merge(target, [['1', '1'], ['2', '1'], ...more])

      assert.deepEqual(outcomeOf(result), [1 + more.length, 0, 0, 0, '1: dropped'])
    })

    test('are rejected where a view does nothing for them', async () => {
      await server.query(`CREATE VIEW items AS SELECT * FROM item;
        CREATE OR REPLACE FUNCTION take() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF NEW.id = 2 THEN RETURN NULL; END IF; INSERT INTO item VALUES (NEW.*); RETURN NEW; END $$;
        CREATE TRIGGER take INSTEAD OF INSERT ON items FOR EACH ROW EXECUTE FUNCTION take()`)

      const result = await server.merge({ ...target, table: 'items', mode: 'insert' }, [
        ['1', '1'],
        ['2', '1'],
        ...more,
      ])

      assert.deepEqual(outcomeOf(result), [1 + more.length, 0, 0, 0, '1: dropped'])
      assert.deepEqual(await server.query('SELECT count(*) FROM item'), [[String(1 + more.length)]])
    })

    test('are not there when rows are equal, or older: these are left alone, and no trigger fires', async () => {
      await server.query(`ALTER TABLE item ADD version int; CREATE TABLE seen (id bigint);
        CREATE OR REPLACE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (OLD.id); RETURN NEW; END $$`)
      const into = { ...target, columns: ['id', 'amount', 'version'], version: 'version' }
      const many = more.map((row) => [...row, '5'])
      await server.merge(into, [['1', '1', '5'], ['2', '1', '5'], ['3', '1', '5'], ['4', '1', '5'], ...many])
      await server.query('CREATE TRIGGER see BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION see()')

      const rows = [['1', '1', '5'], ['2', '9', '4'], ['3', '9', '6'], ['4', '9', null], ...many]
      const result = await server.merge(into, rows)

      assert.deepEqual(outcomeOf(result), [0, 1, 3 + many.length, 0])
      assert.deepEqual(await server.query('SELECT * FROM seen'), [['3']])
    })
  })
}

describe('very many rows that PostgreSQL drops', () => {
  test('are found together, and what a trigger did in their place is undone', async () => {
    await server.query(`CREATE TABLE seen (id bigint);
      CREATE OR REPLACE FUNCTION redirect() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.id % 2 = 0 THEN INSERT INTO seen VALUES (NEW.id); RETURN NULL; END IF; RETURN NEW; END $$;
      CREATE TRIGGER redirect BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION redirect()`)

    for (const mode of ['upsert', 'insert'] as const) {
      await server.query('DELETE FROM item')
      const result = await server.merge({ ...target, mode }, others(6_000))

      assert.deepEqual([result.inserted, result.rejected.length], [3_000, 3_000])
      assert.ok(result.rejected.every(({ row, code, line }) => code === 'dropped' && line === `${1_000 + row}\t1`))
      assert.deepEqual(await server.query('SELECT * FROM seen'), [])
    }
  })
})

describe('where PostgreSQL does not say what became of a row', () => {
  test('a table with rules is refused', async () => {
    await server.query('CREATE RULE nothing AS ON INSERT TO item WHERE NEW.id = 2 DO INSTEAD NOTHING')

    for (const mode of ['upsert', 'insert'] as const) {
      await assert.rejects(server.merge({ ...target, mode }, [['1', '1']]), { name: 'Terminal', message: /rules/ })
    }
    assert.deepEqual(await server.query('SELECT * FROM item'), [])
  })

  test('a view and a foreign table, which have no unique key, are refused in words', async () => {
    await server.query(`CREATE VIEW items AS SELECT * FROM item; CREATE FOREIGN DATA WRAPPER nowhere;
      CREATE SERVER elsewhere FOREIGN DATA WRAPPER nowhere; CREATE FOREIGN TABLE far (id bigint, amount numeric) SERVER elsewhere`)

    for (const [table, kind] of [
      ['items', /is a view/],
      ['far', /is a foreign table/],
    ] as const) {
      await assert.rejects(server.merge({ ...target, table }, [['1', '1']]), { name: 'Terminal', message: kind })
    }
  })
})
