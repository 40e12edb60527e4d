import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { type OpenedFile, openFile } from './opened-file.ts'

let file: OpenedFile
before(async () => {
  file = await openFile()
})
after(() => file.close())
beforeEach(async () => {
  await file.query('DROP TABLE IF EXISTS item')
})

const NUMERIC = ['abc', '7', '-7', '0', '1.5', '{"a": 1}', '2024-01-01', 'Infinity', '']
const CHANGED = ['007', '1e5', '1.50', '+7', ' 7', '.5', '-0', '12345678901234567890']

for (const [type, suffix, kept, changed] of [
  ['STRING', '', NUMERIC, CHANGED],
  ['UUID', '', NUMERIC, CHANGED],
  ['JSON', '', NUMERIC, CHANGED],
  ['DATETIME', '', NUMERIC, CHANGED],
  ['ANY', '', NUMERIC, CHANGED],
  ['ANY', 'STRICT', [...NUMERIC, ...CHANGED], []],
  ['TEXT', '', [...NUMERIC, ...CHANGED], []],
] as const) {
  test(`texts are kept by a column ${type} ${suffix}, or rejected`, async () => {
    await file.query(`CREATE TABLE item (id INTEGER PRIMARY KEY, v ${type}) ${suffix}`)
    const rows = [...kept, ...changed].map((text, index) => [String(index), text])

    const { inserted, rejected } = await file.merge(
      { table: 'item', columns: ['id', 'v'], key: ['id'], texts: ['v'] },
      rows,
    )

    assert.deepEqual(
      rejected.map(({ row }) => rows[row]?.[1]),
      [...changed],
    )
    assert.equal(inserted, kept.length)
    assert.deepEqual(
      (await file.query('SELECT v FROM item ORDER BY id')).map(([text]) => text),
      [...kept],
    )
  })
}
