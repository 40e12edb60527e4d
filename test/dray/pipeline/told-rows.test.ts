import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, boolean, integer, text, timestamp, uuid, varchar } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { timestampOf } from 'dray/internal/active-record/values.ts'
import { ConfigurationError, DataQualityError, TerminalError } from 'dray/internal/errors.ts'
import type { DeletesOption } from 'dray/internal/pipeline/declare/deletes-option.ts'
import { changedSince, fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, history, replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { preview } from 'dray/internal/pipeline/inspect/preview.ts'
import { reconcile } from 'dray/internal/pipeline/inspect/reconcile.ts'
import { quarantinedRows } from 'dray/internal/pipeline/quarantine/kept-rows.ts'
import { onEachEngine } from './engines.ts'
import { commitRun, planRun, prepare, quarantined, runPipeline } from './harness.ts'

const source = database('told-source')
const target = database('told-target')

class SourceCustomer extends source.table('customer', {
  id: bigint().primaryKey(),
  name: text().nullable(),
  status: varchar(20),
  parent: bigint().nullable(),
  isGone: boolean().nullable(),
  goneCode: integer().nullable(),
  changedAt: timestamp(),
  deletedAt: timestamp().nullable(),
}) {}
class TargetCustomer extends target.table('customer_dim', {
  id: bigint().primaryKey(),
  name: varchar(20).nullable(),
  goneAt: timestamp().nullable(),
}) {}
class Stamped extends target.table('stamped', {
  id: bigint().primaryKey(),
  name: varchar(20).nullable(),
  changedAt: timestamp(),
}) {}
class CustomerVersion extends target.table('customer_version', {
  id: bigint().primaryKey(),
  validFrom: timestamp().primaryKey(),
  validTo: timestamp().nullable(),
  name: varchar(20).nullable(),
}) {}
class Account extends source.table('account', {
  id: varchar(60).primaryKey(),
  label: text().nullable(),
  deletedAt: timestamp().nullable(),
}) {}
class AccountById extends target.table('account_by_id', { id: uuid().primaryKey(), label: text().nullable() }) {}
class AccountByName extends target.table('account_by_name', {
  id: varchar(60).primaryKey(),
  label: text().nullable(),
}) {}
class Node extends target.table('node', {
  id: bigint().primaryKey(),
  name: varchar(20).nullable(),
  parent: bigint().nullable(),
}) {}

const customers = pipeline('customers', {
  extract: changedSince(SourceCustomer, { cursor: 'changedAt' }),
  transform: ({ id, name, status }, row) => (status === 'erased' ? row.delete() : { id, name }),
  load: upsert(TargetCustomer, { by: 'id' }),
  deletes: { flag: 'deletedAt' },
})

const extract = fullLoad(SourceCustomer, { partitionRows: 3 })
const transform = ({ id, name }: SourceCustomer) => ({ id, name })
const load = upsert(TargetCustomer, { by: 'id' })
const flagged = (deletes: DeletesOption<typeof SourceCustomer, typeof TargetCustomer>) =>
  pipeline('customers', { extract, transform, load, deletes })
const hard = flagged({ flag: 'deletedAt' })
const soft = flagged({ flag: 'deletedAt', soft: 'goneAt' })
const closing = pipeline('customers', {
  extract,
  transform,
  load: history(CustomerVersion, { by: 'id', validFrom: 'validFrom', validTo: 'validTo' }),
  deletes: { flag: 'deletedAt' },
})
const versioned = pipeline('customers', {
  extract,
  transform: ({ id, name, changedAt }) => ({ id, name, changedAt }),
  load: upsert(Stamped, { by: 'id', version: 'changedAt' }),
  deletes: { flag: 'deletedAt' },
})
const byId = pipeline('accounts', {
  extract: fullLoad(Account, { partitionRows: 2 }),
  transform: ({ id, label }) => ({ id, label }),
  load: upsert(AccountById, { by: 'id' }),
  deletes: { flag: 'deletedAt' },
})
const byName = pipeline('accounts', {
  extract: fullLoad(Account, { partitionRows: 2 }),
  transform: ({ id, label }) => ({ id, label }),
  load: upsert(AccountByName, { by: 'id' }),
  deletes: { flag: 'deletedAt' },
})
const tree = pipeline('customers', {
  extract,
  transform: ({ id, name, parent }) => ({ id, name, parent }),
  load: upsert(Node, { by: 'id' }),
  deletes: { flag: 'deletedAt' },
})

const AT = timestampOf('2024-01-01')
const LATER = timestampOf('2024-01-02')
const rows = (...ids: number[]) =>
  ids.map((id) => ({ id: BigInt(id), name: `${id}`, status: 'known', changedAt: AT, deletedAt: null }))
const deletedRow = (id: number) => ({ ...rows(id)[0], deletedAt: LATER, changedAt: LATER })

onEachEngine('rows that say that they are deleted', [source, target], (engine) => {
  // biome-ignore lint/suspicious/noExplicitAny: pipelines of several targets.
  const run = (of: Pipeline<any, any>, id: string) => runPipeline(of, id, engine.harness.services)
  const step = async (id: string) => (await engine.harness.services.state.run(id))?.steps[0]
  const release = (name: string, id: string) => engine.harness.services.state.releaseLease(name, id)
  const flag = (...ids: number[]) => SourceCustomer.upsertAll(ids.map(deletedRow) as never, { by: 'id' } as never)
  const ids = async () => (await TargetCustomer.all().order('id').toArray()).map(({ id }) => Number(id))

  beforeEach(async () => {
    const all = [SourceCustomer, TargetCustomer, Stamped, Account, AccountById, AccountByName]
    for (const model of all as unknown as ModelClass[]) await model.createTable()
    if (engine.dialect !== 'mysql') return
    const folded = 'convert to character set utf8mb4 collate utf8mb4_general_ci'
    await source.query(`alter table account ${folded}`)
    for (const table of ['account_by_id', 'account_by_name']) await target.query(`alter table ${table} ${folded}`)
  })

  test('are deleted from the target, by the flag and by the transform, and counted', async () => {
    await TargetCustomer.insertAll([1n, 2n, 3n, 4n].map((id) => ({ id, name: `${id}` })))
    await SourceCustomer.insertAll(rows(1))
    await SourceCustomer.insertAll([2, 9].map(deletedRow) as never)
    await SourceCustomer.insertAll([{ ...rows(3)[0], status: 'erased' }] as never)

    const { read, inserted, updated, unchanged, deleted } = await run(customers, 'run-1')

    assert.deepEqual(await ids(), [1, 4])
    assert.deepEqual(
      { read, inserted, updated, unchanged, deleted },
      { read: 4, inserted: 0, updated: 0, unchanged: 1, deleted: 3 },
    )
    const known = await step('run-1')
    assert.deepEqual([known?.deleted, known?.gone], [3, 0])
  })

  test('are back once they say it no more', async () => {
    await SourceCustomer.insertAll(rows(1, 2))
    await run(hard, 'run-1')
    await flag(2)
    await run(hard, 'run-2')
    assert.deepEqual(await ids(), [1])
    await SourceCustomer.upsertAll(rows(2) as never, { by: 'id' } as never)

    const { inserted, unchanged } = await run(hard, 'run-3')

    assert.deepEqual([inserted, unchanged], [1, 1])
    assert.deepEqual(await ids(), [1, 2])
  })

  test('say it by a boolean, and by a number that is not 0', async () => {
    await SourceCustomer.insertAll([
      { ...rows(1)[0], isGone: true, goneCode: 0 },
      { ...rows(2)[0], isGone: false, goneCode: 2 },
      { ...rows(3)[0], isGone: null, goneCode: null },
    ] as never)
    await TargetCustomer.insertAll([1n, 2n, 3n].map((id) => ({ id, name: 'old' })))

    await run(flagged({ flag: 'isGone' }), 'run-1')
    assert.deepEqual(await ids(), [2, 3])
    await run(flagged({ flag: 'goneCode' }), 'run-2')

    assert.deepEqual(await ids(), [1, 3])
  })

  test('are marked once, and live again when they are back', async () => {
    await SourceCustomer.insertAll(rows(1, 2))
    await run(soft, 'run-1')
    await flag(2)
    const marks = async () => (await TargetCustomer.all().order('id').toArray()).map(({ goneAt }) => goneAt)

    await run(soft, 'run-2')
    const [, marked] = await marks()
    await run(soft, 'run-3')

    assert.match(marked ?? '', /^2024-06-01 02:00:00/)
    assert.deepEqual(await marks(), [null, marked])
    await SourceCustomer.upsertAll(rows(2) as never, { by: 'id' } as never)
    await run(soft, 'run-4')
    assert.deepEqual(await marks(), [null, null])
  })

  test('have their current version closed in a history', async () => {
    await CustomerVersion.createTable()
    await SourceCustomer.insertAll(rows(1, 2))
    await run(closing, 'run-1')
    await flag(2)

    await run(closing, 'run-2')
    await run(closing, 'run-3')

    const versions = await CustomerVersion.all().order('id').toArray()
    assert.deepEqual(
      versions.map(({ id, validTo }) => [id, validTo === null]),
      [
        [1n, true],
        [2n, false],
      ],
    )
  })

  test('are deleted once, however often a Commit is delivered', async () => {
    await SourceCustomer.insertAll(rows(1, 2, 3, 4, 5, 6, 7))
    await run(hard, 'run-1')
    await flag(2, 6)
    const { services } = engine.harness
    const planned = await planRun(hard, 'run-2', services)
    const { load: landed } = await import('dray/internal/pipeline/stages/load.ts')
    for (const { partition } of planned.partitions) {
      const input = await prepare(hard, 'run-2', planned, partition, services)
      await landed(hard, input, services)
      await landed(hard, input, services)
    }

    const first = await commitRun(hard, 'run-2', planned, services)
    const second = await commitRun(hard, 'run-2', planned, services)

    assert.deepEqual(second, first)
    assert.deepEqual([first.deleted, first.unchanged], [2, 5])
    assert.deepEqual(await ids(), [1, 3, 4, 5, 7])
  })

  test('are deleted by a run of their keys', async () => {
    await SourceCustomer.insertAll(rows(1, 2))
    await run(customers, 'run-1')
    await flag(1, 2)
    await release('customers', 'run-1')

    await runPipeline(customers, 'keys-1', engine.harness.services, { keys: ['2'] })

    assert.deepEqual(await ids(), [1])
  })

  for (const [what, into, stored] of [
    ['a UUID', byId, AccountById],
    ['a text', byName, AccountByName],
  ] as const) {
    test(`take no row along that spells its key otherwise and is there: ${what}`, async () => {
      const [live, old] = ['ABCDEF00-0000-4000-8000-00000000000', 'abcdef00-0000-4000-8000-00000000000']
      await Account.insertAll([1, 2].map((nth) => ({ id: `${live}${nth}`, label: 'live' })))
      await run(into, 'run-1')
      await Account.insertAll([{ id: `${old}3`, label: 'old', deletedAt: AT }])
      // Where the source takes both for one key, it cannot have both.
      const both = await Account.insertAll([{ id: `${old}1`, label: 'old', deletedAt: AT }]).catch(() => null)

      await run(into, 'run-2')

      const left = await (stored as typeof AccountByName).all().count()
      assert.equal(left, 2, both === null ? 'one spelling' : 'two spellings')
    })

    test(`are found in the spelling of before: ${what}`, async () => {
      const [live, other] = ['ABCDEF00-0000-4000-8000-00000000000', 'abcdef00-0000-4000-8000-00000000000']
      await Account.insertAll([1, 2].map((nth) => ({ id: `${live}${nth}`, label: 'live' })))
      await run(into, 'run-1')
      await Account.where({ id: `${live}2` }).deleteAll()
      await Account.insertAll([{ id: `${other}2`, label: 'live', deletedAt: AT }])

      await run(into, 'run-2')

      const left = await (stored as typeof AccountByName).all().count()
      // A target that tells capitals apart has a row of another key.
      const isOne = engine.dialect === 'mysql' || (engine.dialect === 'postgres' && into === (byId as never))
      assert.equal(left, isOne ? 1 : 2)
    })
  }

  test('of a table that refers to itself go from the leaves on, in whichever partitions', async () => {
    await Node.createTable()
    const foreign = 'foreign key (parent) references node (id)'
    if (engine.dialect === 'sqlite') {
      await target.sql`drop table node`
      await target.query(`create table node (id integer primary key, name text, parent integer, ${foreign})`)
    } else await target.query(`alter table node add constraint node_parent ${foreign}`)
    await SourceCustomer.insertAll(rows(1, 2, 3, 4, 5).map((row, at) => ({ ...row, parent: at === 0 ? null : 1n })))
    await run(tree, 'run-1')
    await SourceCustomer.upsertAll(
      [1, 2, 3, 4, 5].map((id) => ({ ...deletedRow(id), parent: id === 1 ? null : 1n })) as never,
      { by: 'id' } as never,
    )
    await SourceCustomer.insertAll(rows(6))

    const { deleted, inserted } = await run(tree, 'run-2')

    assert.deepEqual([deleted, inserted], [5, 1])
    assert.deepEqual(
      (await Node.all().toArray()).map(({ id }) => id),
      [6n],
    )
  })

  test('are not deleted where a share is named that they pass, and nothing advances', async () => {
    const ten = Array.from({ length: 40 }, (_, index) => index + 1)
    await SourceCustomer.insertAll(rows(...ten))
    await run(hard, 'run-1')
    await flag(...ten.slice(0, 15))
    await release('customers', 'run-1')

    await assert.rejects(
      () => run(flagged({ flag: 'deletedAt', most: 0.3 }), 'run-2'),
      (error) => error instanceof DataQualityError && /15 of 40 rows .*at most 12 may be/.test(error.message),
    )

    assert.equal(await TargetCustomer.all().count(), 40)
  })

  test('close what is open of them in the quarantine', async () => {
    await SourceCustomer.insertAll([...rows(1), { ...rows(2)[0], name: 'x'.repeat(30) }] as never)
    await run(hard, 'run-1')
    assert.equal((await quarantined(engine.harness, 'run-1', 'customers')).length, 1)
    await flag(2)

    await run(hard, 'run-2')

    const open = await Array.fromAsync(quarantinedRows(engine.harness.services.staging, 'customers', {}))
    assert.deepEqual(
      open.map(({ record }) => record?.action),
      ['landed'],
    )
  })

  test('are no rows that a replay deletes where only a version says which row is the newer one', async () => {
    await SourceCustomer.insertAll([{ ...rows(1)[0], name: 'x'.repeat(30) }] as never)
    await run(versioned, 'run-1')
    await release('customers', 'run-1')
    const refusing = {
      ...versioned,
      deletes: flagged({ flag: 'isGone' }).deletes,
      transform: (_: unknown, row: { delete(): null }) => row.delete(),
    }

    const { deleted, quarantined: back } = await runPipeline(refusing as never, 'replay-1', engine.harness.services, {
      replay: {},
    })

    assert.deepEqual([deleted, back], [0, 1])
  })

  test('are shown by a preview, and what the target has of them by a comparison', async () => {
    await SourceCustomer.insertAll(rows(1, 2))
    await run(hard, 'run-1')
    await flag(2)
    const { services } = engine.harness

    const { rows: shown } = await preview(hard, { limit: 10, lastRun: null }, services)
    const { differences, leftOut } = await reconcile(hard, services)

    assert.deepEqual(
      shown.map(({ outcome }) => outcome),
      ['loaded', 'deleted'],
    )
    assert.deepEqual(differences, [{ kind: 'extra', key: { id: '2' }, sourceKey: ['2'], columns: [] }])
    assert.equal(leftOut.deleted, 1)
    await release('customers', 'run-1')
    await run(hard, 'run-2')
    assert.deepEqual((await reconcile(hard, services)).differences, [])
  })

  test('are refused where nothing says what becomes of them, and nothing is loaded', async () => {
    await SourceCustomer.insertAll(rows(1, 2))
    const unsaid = pipeline('customers', {
      extract,
      transform: ({ id, name }, row) => (id === 2n ? row.delete() : { id, name }),
      load,
    })

    await assert.rejects(
      () => run(unsaid, 'run-1'),
      (error) =>
        error instanceof TerminalError && /says row\.delete\(\) and the pipeline has no deletes/.test(error.message),
    )

    assert.deepEqual(await ids(), [])
  })
})

describe('a pipeline whose rows say that they are deleted', () => {
  const refuses = (make: () => unknown, words: RegExp) =>
    assert.throws(make, (error) => error instanceof ConfigurationError && words.test(error.message))

  test('is refused where the flag says nothing', () => {
    refuses(() => flagged({ flag: 'status' }), /the flag "status", which is no boolean, integer, timestamp or date/)
  })

  test('is refused where another row may have the key', () => {
    refuses(() => flagged({ flag: 'deletedAt', key: 'status' }), /another row of the source may have the same id/)
  })

  test('is refused where no row is taken away', () => {
    refuses(
      () => pipeline('a', { extract, transform, load: append(TargetCustomer), deletes: { told: true } }),
      /does not go with append/,
    )
    refuses(
      () => pipeline('a', { extract, transform, load: replace(TargetCustomer), deletes: { told: true } }),
      /does not go with replace/,
    )
  })

  test('shares its table with others: it deletes no rows of theirs', () => {
    assert.equal(hard.written.alone, null)
  })
})
