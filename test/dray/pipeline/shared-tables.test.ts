import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, boolean, double, text, timestamp, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { loadKeys } from 'dray/internal/messages/run-mode.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { history, replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { preview } from 'dray/internal/pipeline/inspect/preview.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { reloadKeys } from 'dray/internal/pipeline/stages/reload.ts'
import { onEachEngine } from './engines.ts'
import { quarantined, runPipeline } from './harness.ts'

const crm = database('shared-crm')
const shop = database('shared-shop')
const target = database('shared-target')

class CrmContact extends crm.source('contact', { id: bigint().primaryKey(), name: text() }) {}
class ShopContact extends shop.source('contact', { id: bigint().primaryKey(), name: text(), kind: text() }) {}

class Contact extends target.table('contact', {
  origin: varchar(10).primaryKey(),
  id: bigint().primaryKey(),
  name: text(),
}) {}
class MarkedContact extends target.table('marked', {
  origin: varchar(10).primaryKey(),
  id: bigint().primaryKey(),
  name: text(),
  isGone: boolean(),
}) {}
class ContactVersion extends target.table('version', {
  origin: varchar(10).primaryKey(),
  id: bigint().primaryKey(),
  validFrom: timestamp().primaryKey(),
  validTo: timestamp().nullable(),
  name: varchar(100),
}) {}

const crmContacts = pipeline('crm-contacts', {
  extract: fullLoad(CrmContact),
  transform: (contact) => ({ origin: 'crm', ...contact }),
  load: upsert(Contact, { by: ['origin', 'id'] }),
  deletes: { hard: true, where: { origin: 'crm' } },
})

const shopContacts = pipeline('shop-contacts', {
  extract: fullLoad(ShopContact),
  transform: ({ kind, ...contact }) => ({ origin: kind, ...contact }),
  load: upsert(Contact, { by: ['origin', 'id'] }),
  deletes: { hard: true, key: ['kind', 'id'], where: { origin: ['shop', 'till'] } },
})

test('rows of a shared table are told apart by its key, and by values that a field has', () => {
  const declared = (where: object, load: unknown = upsert(Contact, { by: ['origin', 'id'] })) =>
    pipeline('contacts', {
      extract: fullLoad(CrmContact),
      transform: (contact: CrmContact) => ({ origin: 'crm', ...contact }),
      load: load as ReturnType<typeof upsert<typeof Contact>>,
      deletes: { hard: true, where },
    })
  class Measured extends target.table('measured', {
    origin: double().primaryKey(),
    id: bigint().primaryKey(),
    name: text(),
  }) {}

  for (const [where, load, message] of [
    [{}, undefined, /names no field; name one of the key/],
    [{ region: 'eu' }, undefined, /names the field "region", which the target does not have/],
    [
      { name: 'x' },
      undefined,
      /names the field "name", which is no part of the key \(origin, id\), so a row of another/,
    ],
    [{ origin: [] }, undefined, /gives "origin" no value/],
    [{ origin: null }, undefined, /gives "origin" no value/],
    [{ id: 'one' }, undefined, /gives "id" a value that the field refuses/],
    [{ origin: 'crm' }, replace(Contact), /does not go with replace\(\)/],
    [{ origin: 1 }, upsert(Measured, { by: ['origin', 'id'] }), /of the kind double; name a text/],
  ] as const) {
    assert.throws(() => declared(where, load), { name: 'Configuration', message })
  }
})

onEachEngine('a table of several pipelines', [crm, shop, target], (engine) => {
  beforeEach(async () => {
    for (const model of [CrmContact, ShopContact, Contact, MarkedContact, ContactVersion] as unknown as ModelClass[]) {
      await model.createTable()
    }
    for (const id of [1, 2, 3]) await crm.query(`insert into contact (id, name) values (${id}, 'crm ${id}')`)
    for (const id of [2, 3, 4]) {
      const kind = id === 4 ? 'till' : 'shop'
      await shop.query(`insert into contact (id, name, kind) values (${id}, 'shop ${id}', '${kind}')`)
    }
  })

  async function rows(columns = 'origin, id, name', table = 'contact'): Promise<string[]> {
    const found = await target.query(`select ${columns} from ${table} order by origin, id`)
    return found.rows.map((row) => row.join('/'))
  }

  async function both(run: string): Promise<void> {
    await runPipeline(crmContacts, `${run}-crm`, engine.harness.services)
    await runPipeline(shopContacts, `${run}-shop`, engine.harness.services)
  }

  test('each of them updates and deletes its rows alone', async () => {
    await both('one')
    assert.deepEqual(await rows(), [
      ...['crm/1/crm 1', 'crm/2/crm 2', 'crm/3/crm 3'],
      ...['shop/2/shop 2', 'shop/3/shop 3', 'till/4/shop 4'],
    ])
    await crm.query('delete from contact where id = 2')
    await crm.query("update contact set name = 'new' where id = 3")
    await shop.query('delete from contact where id = 4')

    await both('two')

    assert.deepEqual(await rows(), ['crm/1/crm 1', 'crm/3/new', 'shop/2/shop 2', 'shop/3/shop 3'])
    const { services } = engine.harness
    assert.equal((await services.state.run('two-crm'))?.steps[0]?.deleted, 1)
  })

  test('the share that may be deleted is one of its rows', async () => {
    await both('one')
    for (let id = 100; id < 300; id++) {
      await target.query(`insert into contact (origin, id, name) values ('shop', ${id}, 'x'), ('crm', ${id}, 'x')`)
    }

    await assert.rejects(
      runPipeline(crmContacts, 'two', engine.harness.services),
      /200 of 203 rows of shared-target\.contact have no row in shared-crm\.contact any more and at most 20 may be/,
    )
  })

  test('a row that belongs to another one is quarantined, and shown so by a preview', async () => {
    const { services } = engine.harness
    await shop.query("update contact set kind = 'crm' where id = 2")

    await runPipeline(shopContacts, 'one', services)

    assert.deepEqual(await rows(), ['shop/3/shop 3', 'till/4/shop 4'])
    const [row] = await quarantined(engine.harness, 'one', 'shop-contacts')
    assert.equal(row?.row.id, '2')
    assert.deepEqual(row?.errors, [
      {
        field: 'origin',
        code: 'not_owned',
        message:
          'is crm, and the rows of shop-contacts have shop or till there (deletes: { where }), so it would be a row of another pipeline; correct the transform, or where',
      },
    ])
    const shown = await preview(shopContacts, { limit: 1, lastRun: null }, services)
    assert.equal(shown.rows[0]?.errors[0]?.code, 'not_owned')
  })

  test('reconcile counts and compares its rows alone, and mends them', async () => {
    const { services } = engine.harness
    await both('one')
    await target.query("update contact set name = 'wrong' where id = 3")
    await target.query("insert into contact (origin, id, name) values ('crm', 9, 'x'), ('shop', 8, 'x')")

    const { target: counted, differences } = await reconcile(crmContacts, services)

    assert.equal(counted.rows, 4)
    assert.deepEqual(
      differences.map(({ kind, key }) => [kind, key.origin, key.id]),
      [
        ['different', 'crm', '3'],
        ['extra', 'crm', '9'],
      ],
    )
    await reloadKeys(crmContacts, [['3']], services, () => 'reload')
    assert.deepEqual((await rows()).slice(0, 4), ['crm/1/crm 1', 'crm/2/crm 2', 'crm/3/crm 3', 'crm/9/x'])
    assert.ok((await rows()).includes('shop/3/wrong'))
  })

  test('single keys, and rows from the quarantine, are those of its source', async () => {
    const { services } = engine.harness
    await runPipeline(crmContacts, 'one', services, loadKeys([['2']]))
    assert.deepEqual(await rows(), ['crm/2/crm 2'])
    await shop.query("update contact set kind = 'crm' where id = 2")
    await runPipeline(shopContacts, 'two', services)
    await shop.query("update contact set kind = 'shop' where id = 2")

    await runPipeline(shopContacts, 'three', services, { replay: {} })

    assert.deepEqual(await rows(), ['crm/2/crm 2', 'shop/2/shop 2', 'shop/3/shop 3', 'till/4/shop 4'])
  })

  test('rows are marked, and taken back, each by its pipeline', async () => {
    const marking = (origin: string, of: typeof CrmContact) =>
      pipeline(`marked-${origin}`, {
        extract: fullLoad(of),
        transform: ({ id, name }: CrmContact) => ({ origin, id, name, isGone: false }),
        load: upsert(MarkedContact, { by: ['origin', 'id'] }),
        deletes: { soft: 'isGone', where: { origin } },
      })
    const { services } = engine.harness
    const [one, other] = [marking('crm', CrmContact), marking('shop', ShopContact as unknown as typeof CrmContact)]
    await runPipeline(one, 'one', services)
    await runPipeline(other, 'two', services)
    await crm.query('delete from contact where id = 2')

    await runPipeline(one, 'three', services)
    await runPipeline(other, 'four', services)

    const gone = { postgres: 'is_gone', mysql: 'is_gone = 1', sqlite: 'is_gone' }[engine.dialect]
    const { rows: marked } = await target.query(`select origin, id from marked where ${gone}`)
    assert.deepEqual(marked, [['crm', '2']])
  })

  test('versions are closed each by its pipeline', async () => {
    const keeping = (origin: string, of: typeof CrmContact) =>
      pipeline(`versions-${origin}`, {
        extract: fullLoad(of),
        transform: ({ id, name }: CrmContact) => ({ origin, id, name }),
        load: history(ContactVersion, { by: ['origin', 'id'], validFrom: 'validFrom', validTo: 'validTo' }),
        deletes: { close: true, where: { origin } },
      })
    const { services } = engine.harness
    const [one, other] = [keeping('crm', CrmContact), keeping('shop', ShopContact as unknown as typeof CrmContact)]
    await runPipeline(one, 'one', services)
    await runPipeline(other, 'two', services)
    await crm.query('delete from contact where id = 2')

    await runPipeline(one, 'three', services)
    await runPipeline(other, 'four', services)

    assert.deepEqual(await rows('origin, id', 'version where valid_to is null'), [
      ...['crm/1', 'crm/3', 'shop/2', 'shop/3', 'shop/4'],
    ])
  })

  test('a pipeline that is not of the project is refused by the fence where the rows of both may be the same', async () => {
    const { services } = engine.harness
    const copying = { extract: fullLoad(CrmContact), load: upsert(Contact, { by: ['origin', 'id'] }) } as const
    const transform = (contact: CrmContact) => ({ origin: 'CRM', ...contact })
    await both('one')

    for (const deletes of ['ignore', { where: { origin: 'CRM' } }] as const) {
      const stranger = pipeline('stranger', { ...copying, transform, deletes })
      await assert.rejects(runPipeline(stranger, 'two', services), {
        name: 'Terminal',
        message:
          /^stranger: the pipeline crm-contacts writes shared-target\.contact, too, and crm-contacts deletes rows that its source does not have, so each .*deletes: \{ where: \{ … \} \} in both of them\)/,
      })
      await services.state.releaseLease('stranger', 'two')
    }
    const polite = pipeline('polite', {
      ...copying,
      transform: (contact: CrmContact) => ({ origin: 'erp', ...contact }),
      deletes: { where: { origin: 'erp' } },
    })
    await runPipeline(polite, 'three', services)
    await both('four')

    assert.equal((await rows()).length, 9)
  })

  test('one source has several targets, each with its own last run and its own deletes', async () => {
    const { services } = engine.harness
    const other = pipeline('crm-marked', {
      extract: fullLoad(CrmContact),
      transform: (contact: CrmContact) => ({ origin: 'crm', ...contact, isGone: false }),
      load: upsert(MarkedContact, { by: ['origin', 'id'] }),
    })
    await Promise.all([runPipeline(crmContacts, 'one', services), runPipeline(other, 'two', services)])
    await crm.query('delete from contact where id = 2')

    await Promise.all([runPipeline(crmContacts, 'three', services), runPipeline(other, 'four', services)])

    assert.equal((await rows()).length, 2)
    assert.equal((await rows('origin, id', 'marked')).length, 3)
  })
})
