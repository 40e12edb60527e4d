import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { BlockEncoder, decodeBlock } from 'dray/internal/block/copy-text.ts'
import { checked } from 'dray/internal/messages/message.ts'
import { type StagedObject, stagedObject } from 'dray/internal/messages/staged-object.ts'
import { DamagedObjects } from 'dray/internal/pipeline/quarantine/damaged-objects.ts'
import { quarantinedRows } from 'dray/internal/pipeline/quarantine/kept-rows.ts'
import { appendToLog } from 'dray/internal/pipeline/quarantine/log.ts'
import { prunable } from 'dray/internal/pipeline/quarantine/prune.ts'
import {
  readJson,
  readJsonArray,
  readJsonLines,
  writeJson,
  writeJsonArray,
  writeJsonLines,
} from 'dray/internal/staging/documents.ts'
import { FolderStagingStore } from 'dray/internal/staging/folder-staging-store.ts'
import { quarantinePrefix } from 'dray/internal/staging/keys.ts'
import fc from 'fast-check'
import { damaged, type Json } from './hostile-json.ts'
import { cases, unlessRefused } from './refusals.ts'

const folder = await mkdtemp(join(tmpdir(), 'dray-fuzz-staged-'))
const store = new FolderStagingStore(folder)
after(() => rm(folder, { recursive: true }))

const rows = Array.from({ length: 40 }, (_, row) => [`${row}`, `a\tb\\${row}`, row % 3 === 0 ? null : 'c\nd'])
const values = rows.map(([id, text]) => ({ id, text }))

async function writeRows(): Promise<StagedObject> {
  const encoder = new BlockEncoder()
  for (const row of rows) encoder.push(row)
  const block = encoder.flush()
  assert.ok(block)
  return store.write('rows', { format: 'copy-text', columns: ['id', 'text', 'more'] }, [block])
}

/** Each way in which an object is written, and read again; what was read is what was written. */
const kinds = {
  document: {
    write: () => writeJson(store, 'a', values),
    read: (object: StagedObject | string) => readJson(store, object),
  },
  array: {
    write: () => writeJsonArray(store, 'a', values),
    read: (object: StagedObject | string) => readJsonArray(store, object),
  },
  lines: {
    write: () => writeJsonLines(store, 'a', values),
    read: (object: StagedObject | string) => Array.fromAsync(readJsonLines(store, object)),
  },
  rows: {
    write: writeRows,
    read: async (object: StagedObject | string) => {
      const { blocks, header } = await (typeof object === 'string' ? store.open(object) : store.read(object))
      const found = (await Array.fromAsync(blocks)).flatMap((block) => decodeBlock(block))
      return header.columns?.length === 3 ? found : null
    },
  },
} as const
type Kind = keyof typeof kinds

const bytesChange = fc.record({
  how: fc.constantFrom('flip', 'cut', 'insert', 'double', 'remove', 'header', 'end'),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
  header: fc.oneof(
    damaged(fc.constant({ version: 1, format: 'copy-text', columns: ['id', 'text', 'more'] })).map((one) =>
      JSON.stringify(one),
    ),
    fc.string({ unit: 'binary', maxLength: 40 }),
  ),
})
type BytesChange = typeof bytesChange extends fc.Arbitrary<infer T> ? T : never

function changed(content: Buffer, { how, at, bytes, header }: BytesChange): Buffer {
  const place = Math.floor(at * content.length)
  const [before, behind] = [content.subarray(0, place), content.subarray(place)]
  switch (how) {
    case 'flip':
      return Buffer.concat([before, Buffer.from([(behind[0] ?? 0) ^ (bytes[0] ?? 0)]), behind.subarray(1)])
    case 'cut':
      return Buffer.from(before)
    case 'insert':
      return Buffer.concat([before, bytes, behind])
    case 'double':
      return Buffer.concat([content, behind])
    case 'remove':
      return Buffer.concat([before, behind.subarray(bytes.length)])
    case 'header':
      return Buffer.concat([Buffer.from(`${header}\n`), content.subarray(content.indexOf(10) + 1)])
    default:
      return Buffer.concat([content, Buffer.from('\n')])
  }
}

test('a staged object whose bytes have changed is never taken by its reference, and refused or read by its key', async () => {
  const kind = fc.constantFrom(...(Object.keys(kinds) as Kind[]))

  await fc.assert(
    fc.asyncProperty(kind, fc.array(bytesChange, { minLength: 1, maxLength: 3 }), async (one, changes) => {
      const { write, read } = kinds[one]
      const object = await write()
      const path = join(folder, object.key)
      const content = readFileSync(path)
      const other = changes.reduce(changed, content)
      writeFileSync(path, other)

      const found = await unlessRefused(() => read(object) as Promise<unknown>)
      assert.equal(found !== null, other.equals(content))
      await unlessRefused(() => read(object.key) as Promise<unknown>)
      await store.remove(object.key)
    }),
    cases(),
  )
})

test('a reference that is not the one of the object takes nothing', async () => {
  const object = await kinds.rows.write()
  const references = damaged(fc.constant(object))

  await fc.assert(
    fc.asyncProperty(references, async (reference) => {
      const checkedReference = checked(stagedObject, reference)
      if ('fault' in checkedReference) return
      const { key, rows, bytes, sha256 } = checkedReference.data
      const found = await unlessRefused(() => kinds.rows.read({ key, rows, bytes, sha256 }))
      assert.equal(
        found !== null,
        key === object.key && rows === object.rows && bytes === object.bytes && sha256 === object.sha256,
      )
    }),
    cases(),
  )
})

test('an object of the quarantine that holds other lines than Dray writes is named as damaged, and the others are read', async () => {
  const row = {
    run: 'r',
    pipeline: 'orders',
    partition: 0,
    step: 'load',
    errors: [{ field: 'a', code: 'b', message: 'c' }],
    row: { id: '1', name: null },
  }
  const record = { id: 'i', action: 'discarded', reason: 'why', by: 'me', at: '2026-01-01T00:00:00Z' }
  await writeJsonLines(store, quarantinePrefix('r', 'orders'), [row])
  const line = fc.oneof(
    fc.tuple(fc.constant('row' as const), damaged(fc.constant(row))),
    fc.tuple(fc.constant('record' as const), damaged(fc.constant(record))),
  )

  await fc.assert(
    fc.asyncProperty(line, async ([what, bad]: ['row' | 'record', Json]) => {
      const before = new Set(await store.list(''))
      if (what === 'row') await writeJsonLines(store, quarantinePrefix('r2', 'orders'), [row, bad])
      else await appendToLog(store, 'orders', [record, bad] as never)
      const damagedObjects = new DamagedObjects()
      const found = await Array.fromAsync(quarantinedRows(store, 'orders', { damaged: damagedObjects }))

      assert.ok(found.length >= 1 && found.length + damagedObjects.notes.length >= 2 - Number(what === 'record'))
      for (const { errors, row } of found) {
        for (const { field, message } of errors) assert.ok(typeof field !== 'object' && typeof message !== 'object')
        for (const value of Object.values(row)) assert.ok(value === null || typeof value === 'string')
      }
      await unlessRefused(() => prunable(store, 'orders', '2026-02-01T00:00:00Z'))
      for (const key of await store.list('')) if (!before.has(key)) await store.remove(key)
    }),
    cases(),
  )
})
