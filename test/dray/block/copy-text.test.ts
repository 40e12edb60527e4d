import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlockEncoder, decodeBlock, decodeLine, encodeLine, linesOf } from 'dray/internal/block/copy-text.ts'
import fc from 'fast-check'

const texts = fc.array(fc.option(fc.string({ unit: 'binary' })), { minLength: 1, maxLength: 6 })

test('a row of any text comes back as it was, NULL and all', () => {
  fc.assert(fc.property(texts, (row) => assert.deepEqual(decodeLine(encodeLine(row)), row)))
  for (const value of ['\\N', '\\', '\\t', '\t', '\n', '\r\n', '', ' ', '\\.', '\u2028', '\0', '\f\v\b', '😀']) {
    assert.deepEqual(decodeLine(encodeLine([value, null, value])), [value, null, value])
  }
})

test('an encoded row is one line', () => {
  fc.assert(fc.property(texts, (row) => assert.ok(!/[\n\r]/.test(encodeLine(row)))))
})

test('reads the escapes that PostgreSQL writes', () => {
  assert.deepEqual(decodeLine('a\\tb\\nc\\\\d\\b\\f\\v\t\\N\t\\x41\\101'), ['a\tb\nc\\d\b\f\v', null, 'AA'])
})

test('blocks hold whole rows and say how many', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string(), fc.option(fc.string())), { maxLength: 50 }), (rows) => {
      const encoder = new BlockEncoder()

      const blocks = [...rows.map((row) => encoder.push(row)), encoder.flush()].filter((block) => block !== null)

      assert.deepEqual(blocks.flatMap(decodeBlock), rows)
      for (const block of blocks) assert.equal(linesOf(block).length, block.rows)
    }),
  )
})
