import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, beforeEach, describe, test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, text } from 'dray/internal/active-record/field-kinds.ts'
import type { ModelClass } from 'dray/internal/active-record/model.ts'
import { urlVariable } from 'dray/internal/database/database-url.ts'
import { formats } from 'dray/internal/messages/formats.ts'
import { fullLoad } from 'dray/internal/pipeline/declare/extraction.ts'
import { upsert } from 'dray/internal/pipeline/declare/loading.ts'
import { type Pipeline, pipeline } from 'dray/internal/pipeline/declare/pipeline.ts'
import { readPlan } from 'dray/internal/pipeline/plan/staged-plan.ts'
import { extract } from 'dray/internal/pipeline/stages/extract.ts'
import { finish } from 'dray/internal/pipeline/stages/finish.ts'
import { load } from 'dray/internal/pipeline/stages/load.ts'
import { transform } from 'dray/internal/pipeline/stages/transform.ts'
import { readJson, writeJson } from 'dray/internal/staging/documents.ts'
import { commitRun, type Harness, openHarness, planRun, prepare, runReference } from './harness.ts'

const source = database('deployed-source')
const target = database('deployed-target')

/** Before and after a deployment: the source and the target have both columns all the time. */
class OldOrder extends source.source('orders', { id: bigint().primaryKey(), status: text().nullable() }) {}
class NewOrder extends source.source('orders', { id: bigint().primaryKey(), channel: text().nullable() }) {}
class OldFact extends target.table('fact', { id: bigint().primaryKey(), note: text().nullable() }) {}
class NewFact extends target.table('fact', { id: bigint().primaryKey(), remark: text().nullable() }) {}
class Orders extends source.table('orders', {
  id: bigint().primaryKey(),
  status: text().nullable(),
  channel: text().nullable(),
}) {}
class Facts extends target.table('fact', {
  id: bigint().primaryKey(),
  note: text().nullable(),
  remark: text().nullable(),
}) {}

const old = pipeline('orders', {
  extract: fullLoad(OldOrder),
  transform: ({ id, status }) => ({ id, note: status }),
  load: upsert(OldFact, { by: 'id' }),
}) as unknown as Pipeline
const withNewSource = pipeline('orders', {
  extract: fullLoad(NewOrder),
  transform: ({ id, channel }) => ({ id, note: channel }),
  load: upsert(OldFact, { by: 'id' }),
}) as unknown as Pipeline
const withNewTarget = pipeline('orders', {
  extract: fullLoad(OldOrder),
  transform: ({ id, status }) => ({ id, remark: status }),
  load: upsert(NewFact, { by: 'id' }),
}) as unknown as Pipeline

describe('a deployment in the middle of a run', () => {
  let harness: Harness

  const closeAll = () => Promise.all([source.close(), target.close()])
  after(async () => {
    await closeAll()
    await harness.close()
  })
  beforeEach(async () => {
    await closeAll()
    await harness?.close()
    harness = await openHarness()
    for (const { name } of [source, target]) {
      process.env[urlVariable(name)] = `sqlite:${join(harness.folder, `${name}.db`)}`
    }
    for (const model of [Orders, Facts] as unknown as ModelClass[]) await model.createTable()
    await Orders.insertAll([{ id: 1n, status: 'paid', channel: 'web' }])
  })

  const facts = async () => (await Facts.all().toArray()).map(({ id, note, remark }) => [id, note, remark])
  const inputOf = async (id: string) => {
    const { plan, epoch, planned_by } = await planRun(old, id, harness.services)
    return { run: runReference(id), pipeline: 'orders', plan, epoch, planned_by, partition: 0 }
  }

  test('between Extract and Transform, with a field replaced by another, puts no value into the wrong column', async () => {
    const { services } = harness
    const extracted = await extract(old, await inputOf('run-1'), services)

    await assert.rejects(transform(withNewSource, extracted, services), {
      name: 'Terminal',
      message:
        /^orders: Extract has staged rows of \(id, status\), and they are to be taken as \(id, channel\), .*deployed.* Start the run again.* `dray resume <run>`/,
    })

    await finish({ run: extracted.run, steps: { orders: { status: 'failed', reason: 'Terminal' } } }, services)
    const planned = await planRun(withNewSource, 'run-2', services, { resume: 'run-1' })
    await load(withNewSource, await prepare(withNewSource, 'run-2', planned, 0, services), services)
    await commitRun(withNewSource, 'run-2', planned, services)
    assert.deepEqual(await facts(), [[1n, 'web', null]])
  })

  test('between Transform and Load, with a field replaced by another, loads nothing', async () => {
    const { services } = harness
    const transformed = await transform(old, await extract(old, await inputOf('run-1'), services), services)

    await assert.rejects(load(withNewTarget, transformed, services), {
      name: 'Terminal',
      message: /^orders: Transform has staged rows of \(id, note\), and they are to be taken as \(id, remark\), /,
    })

    assert.deepEqual(await facts(), [])
  })

  test('leaves a run alone whose columns are the same', async () => {
    const { services } = harness
    const transformed = await transform(old, await extract(old, await inputOf('run-1'), services), services)

    await load({ ...old }, transformed, services)

    assert.deepEqual(await facts(), [[1n, 'paid', null]])
  })

  test('to older code than has made the plan stops it at the plan', async () => {
    const { staging } = harness.services
    const input = await inputOf('run-1')
    const { format: _, ...made } = await readJson<{ format: number }>(staging, input.plan)
    const newer = await writeJson(staging, 'runs/run-1/orders/_plan', { ...made, format: formats.plan + 1 })
    const older = await writeJson(staging, 'runs/run-1/orders/_plan', made)

    await assert.rejects(extract(old, { ...input, plan: newer }, harness.services), {
      name: 'Terminal',
      message:
        /^The plan .*runs\/run-1\/orders\/_plan.* is of format \d+, written by a newer version .* Deploy the newer/,
    })

    assert.deepEqual(await readPlan(harness.services, older), await readPlan(harness.services, input.plan))
  })
})

test('each attempt of a Load is counted, and what has landed stays so', async () => {
  const harness = await openHarness()
  try {
    for (const { name } of [source, target]) {
      process.env[urlVariable(name)] = `sqlite:${join(harness.folder, `${name}.db`)}`
    }
    for (const model of [Orders, Facts] as unknown as ModelClass[]) await model.createTable()
    const { services } = harness
    const planned = await planRun(old, 'run-1', services)
    const known = async () => {
      const [partition] = (await services.state.run('run-1'))?.partitions ?? []
      return [partition?.status, partition?.attempts]
    }

    const lost = await prepare(old, 'run-1', planned, 0, services)
    await rm(join(harness.folder, 'staging', lost.transformed.key))
    await assert.rejects(load(old, lost, services), { name: 'StagedObjectMissing' })
    const failed = await known()
    await load(old, await prepare(old, 'run-1', planned, 0, services), services)
    const landed = await known()
    await load(old, await prepare(old, 'run-1', planned, 0, services), services)

    assert.deepEqual(
      [failed, landed, await known()],
      [
        ['running', 1],
        ['success', 2],
        ['success', 3],
      ],
    )
  } finally {
    await Promise.all([source.close(), target.close()])
    await harness.close()
  }
})
