import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  areFitting,
  type Fits,
  fitsDecimal,
  fitsFraction,
  fitsLength,
  isNull,
} from 'dray/internal/database/merge/fitting-rows.ts'

const orNull =
  (fits: Fits): Fits =>
  (bytes, from, to) =>
    isNull(bytes, from, to) || fits(bytes, from, to)
const fits: (Fits | undefined)[] = []
fits[1] = orNull(fitsDecimal(2))
fits[2] = orNull(fitsFraction(3))
fits[3] = orNull(fitsLength(4))

const said = (rows: string, width = 4) => areFitting(Buffer.from(rows), fits, width)

test('rows fit whose columns keep every value', () => {
  assert.equal(said(''), true)
  assert.equal(said('a\t1.25\t10:00:00.123\tabcd\nb\t-7\t10:00:00\t\n\\N\t\\N\t\\N\t\\N\n'), true)
  assert.equal(said('a\t1.25\t10:00:00.123\tabcd\tmore\nb\t-7\t10:00:00\tä\t\n', 5), true)
})

test('rows of which one value may be changed do not fit, wherever it is', () => {
  for (const row of ['b\t1.255\t1\tx', 'b\t1e2\t1\tx', 'b\t\t1\tx', 'b\t-\t1\tx', 'b\t1\t.1234\tx', 'b\t1\t1\täöü']) {
    assert.equal(said(`a\t1\t1\tx\n${row}\n`), false, row)
    assert.equal(said(`${row}\tlast\na\t1\t1\tx\tlast\n`, 5), false, row)
  }
})

test('rows with too few fields, or without an end, do not fit', () => {
  assert.equal(said('a\t1\t1\n'), false)
  assert.equal(said('a\t1\n'.repeat(3), 5), false)
  assert.equal(said('a\t1\t1\tx\tlast\nb\t1\t1\tx\tno end', 5), false)
})
