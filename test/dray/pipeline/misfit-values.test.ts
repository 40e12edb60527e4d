import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bigint, binary, boolean, database, decimal, fullLoad, json, pipeline, text, timestampOf, upsert } from 'dray'
import { rowTransformer } from 'dray/internal/pipeline/rows/transform-rows.ts'

class Source extends database('till').source('items', { id: bigint().primaryKey() }) {}
class Target extends database('lake').table('items', {
  id: bigint().primaryKey(),
  price: decimal(10, 2).nullable(),
  name: text().nullable(),
  open: boolean().nullable(),
  bytes: binary().nullable(),
  more: json().nullable(),
}) {}

function errorsOf(transform: (row: { readonly id: bigint }) => unknown) {
  const items = pipeline('items', {
    extract: fullLoad(Source),
    transform: transform as never,
    load: upsert(Target, { by: 'id' }),
  })
  const outcome = rowTransformer(items as never, timestampOf('2026-01-01 00:00:00'))(['1'])
  assert.equal(outcome.kind, 'quarantined')
  return 'errors' in outcome ? outcome.errors.map(({ field, code, message }) => `${field} ${code}: ${message}`) : []
}

for (const [field, value, said] of [
  ['price', { cents: 1990 }, "transform_failed: an object (Object) is no decimal; write a text, '19.90'"],
  ['price', 19.9, "transform_failed: the number 19.9 is no decimal; write a text, '19.90'"],
  ['name', 7n, 'transform_failed: the bigint 7 is no text; write a text'],
  ['name', Promise.resolve('x'), 'transform_failed: a promise is no text; write a text'],
  ['more', [1], 'transform_failed: an array is no json; write JSON.stringify(…)'],
] as const) {
  test(`a value of another type in ${field} (${said.split(';')[0]}) is said with how it is written`, () => {
    assert.deepEqual(
      errorsOf(({ id }) => ({ id, [field]: value })),
      [`${field} ${said}`],
    )
  })
}

for (const [what, returned] of [
  ['a string', 'x'],
  ['nothing', undefined],
  ['an array', [1]],
  ['a promise, and no transform is async', Promise.resolve({ id: 1n })],
  ['a function', () => null],
  ['a Date', new Date(0)],
] as const) {
  test(`a transform that returns ${what} is said to`, () => {
    const [error = ''] = errorsOf(() => returned)

    assert.match(
      error,
      new RegExp(`^ transform_failed: the transform returned ${what}; it returns an object of the target's fields`),
    )
  })
}
