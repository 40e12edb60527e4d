import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { type Database, database } from 'dray/internal/active-record/database.ts'
import { bigint, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { append, replace, upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { examinePipeline } from 'dray/internal/pipeline/inspect/examine-pipeline.ts'
import { onEachEngine } from './engines.ts'
import { planRun, runPipeline } from './harness.ts'

const shop = database('itself-shop')
const lake = database('itself-lake')
const fields = { id: bigint().primaryKey(), label: varchar(20) }
class Item extends shop.source('item', fields) {}
class MendedItem extends shop.table('item', fields) {}
class CopiedItem extends lake.table('item', fields) {}

const mend = ({ id, label }: Item) => ({ id, label: label.trim() })
const copied = pipeline('copied', {
  extract: fullLoad(Item),
  transform: mend,
  load: upsert(CopiedItem, { by: 'id' }),
}) as unknown as Pipeline
const mended = pipeline('mended', {
  extract: fullLoad(Item),
  transform: mend,
  load: upsert(MendedItem, { by: 'id' }),
}) as unknown as Pipeline

/** Has two names of databases stand for one. */
async function bindAlike(one: Database, other: Database): Promise<void> {
  await other.close()
  process.env[urlVariable(other.name)] = process.env[urlVariable(one.name)]
}

onEachEngine('a table that would be written from itself', [shop, lake], (engine) => {
  beforeEach(async () => {
    await MendedItem.createTable()
    await MendedItem.insertAll([{ id: 1n, label: ' as it is ' }])
  })
  const label = async () => (await MendedItem.findBy({ id: 1n }))?.label

  test('is refused before anything is read where two names of databases are bound to one', async () => {
    await bindAlike(shop, lake)
    const said = /itself-shop and itself-lake are bound to one database, so item would be written from itself/

    await assert.rejects(planRun(copied, 'run-1', engine.harness.services), { name: 'Terminal', message: said })
    const checks = await examinePipeline(copied, { isConnected: () => true, services: null, makesTargets: false })

    assert.match(checks.find(({ verdict }) => verdict === 'broken')?.said ?? '', said)
    assert.equal(await label(), ' as it is ')
  })

  test('is another one where a table of the same name is in another database', async () => {
    await CopiedItem.createTable()

    await runPipeline(copied, 'run-1', engine.harness.services)

    assert.deepEqual([await label(), (await CopiedItem.findBy({ id: 1n }))?.label], [' as it is ', 'as it is'])
  })

  test('is mended in its place where it is read and written by one name', async () => {
    await runPipeline(mended, 'run-1', engine.harness.services)

    assert.equal(await label(), 'as it is')
  })
})

test('a load that does not find rows by a key is refused where it is declared to write what it reads', () => {
  for (const load of [append(MendedItem), replace(MendedItem)]) {
    const declare = () => pipeline('doubled', { extract: fullLoad(Item), transform: mend, load })
    assert.throws(declare, /itself-shop\.item is read and written, so (append|replace)\(\) would write its rows from/)
  }
})
