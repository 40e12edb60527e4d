import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text, timestamp, uuid, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { onEachEngine } from './engines.ts'
import { quarantined, runPipeline } from './harness.ts'

const source = database('left-source')
const target = database('left-target')

class SourceContact extends source.table('contact', {
  id: bigint().primaryKey(),
  name: text().nullable(),
  changedAt: timestamp(),
}) {}
class Contact extends target.table('contact_dim', {
  id: bigint().primaryKey(),
  name: varchar(20).nullable(),
  changedAt: timestamp(),
}) {}
class Account extends source.table('account', { id: varchar(60).primaryKey(), label: text().nullable() }) {}
class AccountById extends target.table('account_by_id', { id: uuid().primaryKey(), label: text().nullable() }) {}
class Price extends source.table('price', {
  nth: bigint().primaryKey(),
  code: varchar(20),
  amount: bigint(),
  changedAt: timestamp(),
}) {}
/** Its table has a unique key that may be NULL. */
class Coded extends target.table('coded', {
  code: varchar(20).nullable(),
  name: text().nullable(),
  changedAt: timestamp(),
}) {}
class Latest extends target.table('latest', { code: varchar(20).primaryKey(), amount: bigint() }) {}

const firstContacts = pipeline('first-contacts', {
  extract: fullLoad(SourceContact),
  transform: ({ id, name, changedAt }) => ({ id, name, changedAt }),
  load: upsert(Contact, { by: 'id', update: 'never' }), // what somebody has changed in the target stays
})
const knownContacts = pipeline('known-contacts', {
  extract: fullLoad(SourceContact),
  transform: ({ id, name, changedAt }) => ({ id, name, changedAt }),
  load: upsert(Contact, { by: 'id', insert: false }), // another pipeline says which contacts there are
})
const accounts = pipeline('accounts', {
  extract: fullLoad(Account, { partitionRows: 2 }),
  transform: ({ id, label }) => ({ id, label }),
  load: upsert(AccountById, { by: 'id', update: 'never' }),
})
const prices = (options: object) =>
  pipeline('prices', {
    extract: fullLoad(Price, { partitionRows: 2 }),
    transform: ({ code, amount }) => ({ code, amount }),
    load: upsert(Latest, { by: 'code', ...options }),
  })

const AT = timestampOf('2024-01-01')
const contacts = (name: string | null, ...ids: number[]) => ids.map((id) => ({ id: BigInt(id), name, changedAt: AT }))

onEachEngine('rows that a load leaves alone', [source, target], (engine) => {
  // biome-ignore lint/suspicious/noExplicitAny: pipelines of several targets.
  const run = (of: Pipeline<any, any>, id: string) => runPipeline(of, id, engine.harness.services)
  const names = async () => (await Contact.all().order('id').toArray()).map(({ id, name }) => [Number(id), name])
  const step = async (id: string) => (await engine.harness.services.state.run(id))?.steps[0]

  beforeEach(async () => {
    const all = [SourceContact, Contact, Account, AccountById, Price, Latest]
    for (const model of all as unknown as ModelClass[]) await model.createTable()
  })

  test('are those that are there, where none is updated', async () => {
    await SourceContact.insertAll(contacts('theirs', 1, 2, 3))
    await Contact.insertAll(contacts('ours', 2))

    const { read, inserted, updated, unchanged, left } = await run(firstContacts, 'run-1')

    assert.deepEqual(await names(), [
      [1, 'theirs'],
      [2, 'ours'],
      [3, 'theirs'],
    ])
    assert.deepEqual(
      { read, inserted, updated, unchanged, left },
      { read: 3, inserted: 2, updated: 0, unchanged: 0, left: 1 },
    )
    assert.equal((await step('run-1'))?.left, 1)
    assert.equal((await run(firstContacts, 'run-2')).left, 3)
  })

  test('are those that are not there, where none is inserted', async () => {
    await SourceContact.insertAll(contacts('theirs', 1, 2, 3))
    await Contact.insertAll([...contacts('ours', 2), ...contacts('theirs', 3)])

    const { read, inserted, updated, unchanged, left } = await run(knownContacts, 'run-1')

    assert.deepEqual(await names(), [
      [2, 'theirs'],
      [3, 'theirs'],
    ])
    assert.deepEqual(
      { read, inserted, updated, unchanged, left },
      { read: 3, inserted: 0, updated: 1, unchanged: 1, left: 1 },
    )
  })

  test('are none whose key is NULL: those are quarantined, as where rows are inserted', async () => {
    const moment = { postgres: 'timestamptz', mysql: 'datetime(6)', sqlite: 'text' }[engine.dialect]
    await target.query(`create table coded (code varchar(20) unique, name varchar(20), changed_at ${moment})`)
    await target.query("insert into coded (code, name) values ('1', 'ours'), (null, 'ours')")
    await SourceContact.insertAll([...contacts('theirs', 1, 2), ...contacts(null, 3)])
    const transform = ({ id, name, changedAt }: SourceContact) => ({ code: name && `${id}`, name, changedAt })
    const coded = (options: object) =>
      pipeline('coded', {
        extract: fullLoad(SourceContact),
        transform,
        load: upsert(Coded, { by: 'code', ...options }),
        quarantine: { rows: 10, share: 1 },
      })

    const known = await run(coded({ insert: false }), 'run-1')
    const [row] = await quarantined(engine.harness, 'run-1', 'coded')
    const all = await run(coded({}), 'run-2')

    assert.deepEqual([known.updated, known.left, known.quarantined], [1, 1, 1])
    assert.equal(row?.errors[0]?.field, 'code')
    assert.match(row?.errors[0]?.message ?? '', /"code" is NULL, so no row can be found that it updates; fill it in/)
    assert.deepEqual([all.inserted, all.unchanged, all.quarantined], [1, 1, 1])
    const { rows } = await target.query('select count(*) from coded where code is null')
    assert.deepEqual(rows, [['1']])
  })

  test('do not keep rows at fault among them from being found', async () => {
    await SourceContact.insertAll([
      ...contacts('theirs', 1),
      ...contacts('x'.repeat(30), 2),
      ...contacts('theirs', 3, 4),
    ])
    await Contact.insertAll(contacts('ours', 1, 3))

    const { inserted, left, quarantined } = await run(firstContacts, 'run-1')

    assert.deepEqual({ inserted, left, quarantined }, { inserted: 1, left: 2, quarantined: 1 })
    assert.deepEqual(await names(), [
      [1, 'ours'],
      [3, 'ours'],
      [4, 'theirs'],
    ])
  })

  test('are known in the spelling of the source alone: another one is quarantined', async () => {
    const [large, small] = ['ABCDEF00-0000-4000-8000-00000000000', 'abcdef00-0000-4000-8000-00000000000']
    await Account.insertAll([1, 2].map((nth) => ({ id: `${large}${nth}`, label: 'first' })))
    await run(accounts, 'run-1')
    await Account.upsertAll([{ id: `${large}1`, label: 'second' }], { by: 'id' })
    await Account.insertAll([
      { id: `${small}2`, label: 'other' },
      { id: `${small}3`, label: 'new' },
    ])

    const { read, inserted, left, quarantined } = await run(accounts, 'run-2')

    // Where the target tells capitals apart, the other spelling is another key.
    const isOne = engine.dialect === 'postgres'
    assert.deepEqual(
      { read, inserted, left, quarantined },
      isOne ? { read: 4, inserted: 1, left: 2, quarantined: 1 } : { read: 4, inserted: 2, left: 2, quarantined: 0 },
    )
    const labels = (await AccountById.all().toArray()).map(({ label }) => label).sort()
    assert.deepEqual(labels, isOne ? ['first', 'first', 'new'] : ['first', 'first', 'new', 'other'])
  })

  test('are those of a hand that spells their keys otherwise', async () => {
    const [large, small] = ['ABCDEF00-0000-4000-8000-00000000000', 'abcdef00-0000-4000-8000-00000000000']
    await AccountById.insertAll([{ id: `${large}1`, label: 'by hand' }])
    if (engine.dialect !== 'postgres') {
      const id = engine.dialect === 'mysql' ? 'char(36) collate utf8mb4_general_ci' : 'text collate nocase'
      await target.query('drop table account_by_id')
      await target.query(`create table account_by_id (id ${id} primary key, label varchar(20))`)
      await target.query(`insert into account_by_id values ('${large}1', 'by hand')`)
    }
    await Account.insertAll(
      [1, 2].map((nth) => ({ id: `${engine.dialect === 'postgres' ? large : small}${nth}`, label: 'theirs' })),
    )

    const first = await run(accounts, 'run-1')
    const second = await run(accounts, 'run-2')

    assert.deepEqual([first.inserted, first.left, second.left], [1, 1, 2])
    const labels = (await AccountById.all().toArray()).map(({ label }) => label).sort()
    assert.deepEqual(labels, ['by hand', 'theirs'])
  })

  test('may be several of one key: the first that lands stays', async () => {
    await Price.insertAll(
      [1, 2, 3, 4, 5].map((nth) => ({
        nth: BigInt(nth),
        code: nth > 2 ? 'b' : 'a',
        amount: BigInt(nth),
        changedAt: AT,
      })),
    )

    const { read, inserted, duplicate, left, updated } = await run(prices({ update: 'never' }), 'run-1')

    assert.equal(inserted + duplicate + left, read)
    assert.deepEqual([inserted, updated, read], [2, 0, 5])
    const before = (await Latest.all().order('code').toArray()).map(({ amount }) => amount)
    assert.equal((await run(prices({ update: 'never' }), 'run-2')).left, 5)
    assert.deepEqual(
      (await Latest.all().order('code').toArray()).map(({ amount }) => amount),
      before,
    )
  })

  test('are no differences for a comparison', async () => {
    await SourceContact.insertAll(contacts('theirs', 1, 2))
    await Contact.insertAll(contacts('ours', 2))
    const { services } = engine.harness
    const found = async (of: typeof firstContacts) =>
      (await reconcile(of as never, services)).differences.map(({ kind, key }) => `${kind} ${key.id}`)

    assert.deepEqual(await found(firstContacts), ['missing 1'])
    assert.deepEqual(await found(knownContacts), ['different 2'])
  })
})

describe('a load that leaves rows alone', () => {
  const refuses = (make: () => unknown, words: RegExp) =>
    assert.throws(make, (error) => error instanceof ConfigurationError && words.test(error.message))

  test('is refused where it would write no row', () => {
    refuses(() => upsert(Contact, { by: 'id', update: 'never', insert: false }), /would write no row/)
  })
})
