import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MergeTarget } from 'dray/internal/database/adapter.ts'
import { onEachMergeEngine, outcomeOf } from '#test/contracts/merge-engines.ts'

const target: MergeTarget = { table: 'item', columns: ['id', 'v'], key: ['id'] }
const ROWS = [
  ['1', 'a'],
  ['2', 'b'],
  ['3', 'c'],
]
const SHUFFLED = [ROWS[2], ROWS[1], ROWS[0]] as string[][]

/** Writes the row of the key 2 under 1002. */
const TRIGGERS = triggersOn('INSERT')

function triggersOn(event: 'INSERT' | 'UPDATE') {
  return {
    postgres: [
      `CREATE OR REPLACE FUNCTION rewrite() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       IF NEW.id::text = '2' THEN NEW.id := '1002'; END IF; RETURN NEW; END $$`,
      `CREATE TRIGGER rewrite BEFORE ${event} ON item FOR EACH ROW EXECUTE FUNCTION rewrite()`,
    ],
    mysql: [
      `CREATE TRIGGER rewritten BEFORE ${event} ON item FOR EACH ROW SET NEW.id = IF(NEW.id = '2', '1002', NEW.id)`,
    ],
    sqlite: [
      `CREATE TRIGGER rewritten AFTER ${event} ON item WHEN CAST(NEW.id AS text) = '2' BEGIN UPDATE item SET id = '1002' WHERE id = NEW.id; END`,
    ],
  }
}

onEachMergeEngine('rows whose key a trigger rewrites', (engine) => {
  async function makeTable(type: string, triggers = TRIGGERS): Promise<void> {
    await engine.query('DROP TABLE IF EXISTS item')
    await engine.query(`CREATE TABLE item (id ${type} NOT NULL PRIMARY KEY, v varchar(9))`)
    for (const statement of triggers[engine.dialect]) await engine.query(statement)
  }
  const stored = async () => (await engine.query('SELECT id FROM item ORDER BY v')).map(([id]) => id)

  for (const type of ['int', 'varchar(9)']) {
    for (const mode of ['upsert', 'insert'] as const) {
      for (const [said, rows] of [
        ['in the order of their keys', ROWS],
        ['in no order', SHUFFLED],
      ] as const) {
        const refused = rows.findIndex(([id]) => id === '2')

        test(`are rejected, and the others land, in an empty table, ${mode} by ${type}, ${said}`, async () => {
          await makeTable(type)

          const result = await engine.merge({ ...target, mode }, rows)

          assert.deepEqual(outcomeOf(result), [2, 0, 0, 0, `${refused}: dropped`])
          assert.match(result.rejected[0]?.message ?? '', /trigger/)
          assert.deepEqual(await stored(), ['1', '3'])
        })

        test(`are rejected beside rows that are there, ${mode} by ${type}, ${said}`, async () => {
          await makeTable(type)
          await engine.query("INSERT INTO item VALUES ('7', 'g')")
          const others = mode === 'upsert' ? [['7', 'h']] : [['8', 'h']]

          const result = await engine.merge({ ...target, mode }, [...rows, ...others])

          const [inserted, updated] = mode === 'upsert' ? [2, 1] : [3, 0]
          assert.deepEqual(outcomeOf(result), [inserted, updated, 0, 0, `${refused}: dropped`])
        })
      }
    }
  }

  test('are rejected where an update rewrites it', async () => {
    await makeTable('int', triggersOn('UPDATE'))
    await engine.query("INSERT INTO item VALUES (1, 'x'), (2, 'x')")

    const result = await engine.merge(target, ROWS)

    assert.deepEqual(outcomeOf(result), [1, 1, 0, 0, '1: dropped'])
    assert.deepEqual(await engine.query('SELECT id, v FROM item ORDER BY id'), [
      ['1', 'a'],
      ['2', 'x'],
      ['3', 'c'],
    ])
  })

  test('are rejected among many, of which the others land', async () => {
    await makeTable('int')
    const many = Array.from({ length: 900 }, (_, index) => [`${index < 2 ? index : index + 2000}`, 'x'])

    const result = await engine.merge(target, [...many, ['2', 'y']])

    assert.deepEqual(outcomeOf(result), [900, 0, 0, 0, '900: dropped'])
  })
})
