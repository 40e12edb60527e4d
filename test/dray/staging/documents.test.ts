import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  readJson,
  readJsonArray,
  readJsonLines,
  writeJson,
  writeJsonArray,
  writeJsonLines,
} from 'dray/internal/staging/documents.ts'
import { FolderStagingStore } from 'dray/internal/staging/folder-staging-store.ts'
import fc from 'fast-check'

let folder = ''
let store: FolderStagingStore

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dray-documents-'))
  store = new FolderStagingStore(folder)
})

after(async () => {
  await rm(folder, { recursive: true })
})

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const value of values) collected.push(value)
  return collected
}

test('carries any JSON value as a document', async () => {
  const anything = fc.jsonValue({ depthSize: 'medium', stringUnit: 'binary' })

  await fc.assert(
    fc.asyncProperty(anything, async (value) => {
      const object = await writeJson(store, 'any', value)
      assert.equal(JSON.stringify(await readJson(store, object)), JSON.stringify(value))
      assert.equal(object.rows, 1)
    }),
    { numRuns: 50 },
  )
})

test('carries keys named __proto__, lone surrogates, line separators and line ends', async () => {
  const hostile = JSON.parse(
    '{"__proto__":{"constructor":1},"lone":"\\ud800 \\udfff","lines":"\\n\\r\\u2028\\u2029\\u0000"}',
  )

  const document = await readJson(store, await writeJson(store, 'hostile', hostile))
  const lines = await collect(readJsonLines(store, await writeJsonLines(store, 'hostile', [hostile, hostile])))

  assert.equal(JSON.stringify(document), JSON.stringify(hostile))
  assert.deepEqual(Object.keys(document as object), ['__proto__', 'lone', 'lines'])
  assert.deepEqual(
    lines.map((line) => JSON.stringify(line)),
    [JSON.stringify(hostile), JSON.stringify(hostile)],
  )
})

test('carries many values as lines, in their order, from an asynchronous source', async () => {
  async function* values() {
    for (let id = 0; id < 50_000; id++) yield { id, text: 'a longer text for each of the values' }
  }

  const object = await writeJsonLines(store, 'many', values())
  const read = await collect(readJsonLines<{ id: number }>(store, object))

  assert.equal(object.rows, 50_000)
  assert.ok(read.every((value, index) => value.id === index))
})

test('carries no values as no lines', async () => {
  const object = await writeJsonLines(store, 'none', [])

  assert.deepEqual(await collect(readJsonLines(store, object)), [])
  assert.equal(object.rows, 0)
})

test('refuses a value that has no JSON, and stages nothing', async () => {
  await assert.rejects(writeJsonLines(store, 'undefined', [1, undefined]), { name: 'Terminal' })

  assert.deepEqual(await store.list('undefined'), [])
})

test('returns no document whose bytes have changed', async () => {
  const object = await writeJson(store, 'changed', { amount: 100 })
  const path = join(folder, object.key)
  await writeFile(path, (await readFile(path, 'utf8')).replace('100', '900'))

  await assert.rejects(readJson(store, object), { name: 'StagedObjectDamaged' })
})

test('says that an object is damaged where a byte has changed so that a line is no longer JSON', async () => {
  const damaged = async (object: { readonly key: string }) => {
    const path = join(folder, object.key)
    await writeFile(path, (await readFile(path, 'utf8')).replace('"amount":', '"amount"*'))
  }
  const document = await writeJson(store, 'no-json', { amount: 100 })
  const lines = await writeJsonLines(store, 'no-json', [{ amount: 100 }, { amount: 200 }])
  const list = await writeJsonArray(store, 'no-json', [{ amount: 100 }])
  for (const object of [document, lines, list]) await damaged(object)

  const refused = { name: 'StagedObjectDamaged' }
  await assert.rejects(readJson(store, document), refused)
  await assert.rejects(readJson(store, document.key), refused)
  await assert.rejects(collect(readJsonLines(store, lines)), refused)
  await assert.rejects(collect(readJsonLines(store, lines.key)), refused)
  await assert.rejects(readJsonArray(store, list), refused)
  await assert.rejects(readJsonArray(store, list.key), refused)
})

test('refuses lines where a document is expected', async () => {
  const object = await writeJsonLines(store, 'format', [1])

  await assert.rejects(readJson(store, object), { name: 'StagedObjectDamaged', message: /json-lines where json/ })
})

test('stages a list as JSON that others can read, and still notices when it was changed', async () => {
  const items = Array.from({ length: 10_000 }, (_, partition) => ({ partition }))

  const object = await writeJsonArray(store, 'items', items)

  const path = join(folder, object.key)
  assert.deepEqual(JSON.parse(await readFile(path, 'utf8')), items)
  assert.deepEqual(await readJsonArray(store, object), items)
  assert.deepEqual(await readJsonArray(store, object.key), items)
  await writeFile(path, (await readFile(path, 'utf8')).replace('9999', '9998'))
  await assert.rejects(readJsonArray(store, object), { name: 'StagedObjectDamaged' })
})
