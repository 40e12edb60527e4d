import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Database, database } from 'dray/internal/active-record/database.ts'
import { bigint, text } from 'dray/internal/active-record/field-kinds.ts'
import { RecordInvalidError } from 'dray/internal/active-record/record-errors.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { startPostgres } from '#test/services/postgres.ts'

interface Engine {
  open(): Promise<{ url: string; close(): Promise<void> }>
  /** Statements after which rows named `kept` are neither inserted nor changed nor deleted, without an error. */
  readonly triggers: string
}

const POSTGRES: Engine = {
  async open() {
    const server = await startPostgres()
    return { url: await server.createDatabase(), close: () => server.stop() }
  },
  triggers: `CREATE FUNCTION drop_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF COALESCE(OLD.name, NEW.name) = 'kept' THEN RETURN NULL; END IF; RETURN COALESCE(NEW, OLD); END $$;
    CREATE TRIGGER drop_row BEFORE INSERT OR UPDATE OR DELETE ON item FOR EACH ROW EXECUTE FUNCTION drop_row()`,
}

const SQLITE: Engine = {
  async open() {
    const folder = await mkdtemp(join(tmpdir(), 'dray-dropped-'))
    return { url: `sqlite:${join(folder, 'shop.db')}`, close: () => rm(folder, { recursive: true }) }
  },
  triggers: ['INSERT', 'UPDATE', 'DELETE']
    .map((what) => {
      const row = what === 'INSERT' ? 'NEW' : 'OLD'
      return `CREATE TRIGGER drop_${what} BEFORE ${what} ON item WHEN ${row}.name = 'kept' BEGIN SELECT RAISE(IGNORE); END`
    })
    .join(';\n'),
}

function itemOf(shop: Database) {
  return class Item extends shop.table('item', { id: bigint().primaryKey(), name: text(), note: text().nullable() }) {}
}

for (const [name, engine] of Object.entries({ postgres: POSTGRES, sqlite: SQLITE })) {
  describe(`a record that ${name} drops without an error`, () => {
    const shop = database(`dropped-${name}`)
    const Item = itemOf(shop)
    let service: Awaited<ReturnType<Engine['open']>>

    before(async () => {
      service = await engine.open()
      process.env[urlVariable(shop.name)] = service.url
      await Item.createTable()
      await Item.insertAll([
        { id: 1n, name: 'kept', note: null },
        { id: 2n, name: 'other', note: null },
      ])
      for (const statement of name === 'sqlite' ? engine.triggers.split(';\n') : [engine.triggers]) {
        await shop.query(statement)
      }
    })
    after(async () => {
      await shop.close()
      await service.close()
    })

    test('is not saved when it is new, and says what happened', async () => {
      const record = await Item.create({ id: 3n, name: 'kept', note: null })

      assert.equal(record.isNew, true)
      assert.deepEqual(
        record.errors.toArray().map(({ code }) => code),
        ['dropped'],
      )
      assert.match(record.errors.toArray()[0]?.message ?? '', /has not inserted the row.*trigger/)
      await assert.rejects(record.saveOrFail(), RecordInvalidError)
      assert.equal(await Item.count(), 2)
    })

    test('is not saved when it was changed, and stays changed', async () => {
      const record = await Item.find(1n)
      record.note = 'changed'

      const saved = await record.save()

      assert.deepEqual([saved, record.changed, record.errors.toArray()[0]?.code], [false, ['note'], 'dropped'])
      assert.equal((await Item.find(1n)).note, null)
    })

    test('is not deleted, and destroy says so', async () => {
      const record = await Item.find(1n)

      await assert.rejects(record.destroy(), { name: 'DataQuality', message: /has not deleted the row/ })

      assert.equal(await Item.count(), 2)
    })

    test('leaves the others as saved, changed and deleted as ever', async () => {
      const record = await Item.find(2n)
      record.note = 'changed'

      assert.equal(await record.save(), true)
      await record.destroy()

      assert.equal(await Item.count(), 1)
    })
  })
}

describe('rows that PostgreSQL drops from a bulk write', () => {
  test('are reported as rejected by insertAll and upsertAll', async () => {
    const shop = database('dropped-bulk')
    const Item = itemOf(shop)
    const service = await POSTGRES.open()
    process.env[urlVariable(shop.name)] = service.url
    await Item.createTable()
    await shop.query(POSTGRES.triggers)
    const rows = [
      { id: 1n, name: 'kept', note: null },
      { id: 2n, name: 'other', note: null },
    ]

    const inserted = await Item.insertAll(rows)
    const upserted = await Item.upsertAll(rows, { by: 'id' })

    await shop.close()
    await service.close()
    for (const { rejected } of [inserted, upserted]) {
      assert.deepEqual(
        rejected.map(({ row, errors }) => [row, errors[0]?.code]),
        [[0, 'dropped']],
      )
    }
    assert.deepEqual([inserted.inserted, upserted.unchanged], [1, 1])
  })
})
