import assert from 'node:assert/strict'
import { test } from 'node:test'
import { database } from 'dray/internal/active-record/database.ts'
import { bigint, boolean, decimal, json, text, timestamp, uuid } from 'dray/internal/active-record/field-kinds.ts'
import { columnOf } from 'dray/internal/active-record/table-definition.ts'
import { compareTexts } from 'dray/internal/active-record/value-order.ts'
import { canonicalText } from 'dray/internal/pipeline/texts/canonical.ts'

class Thing extends database('canonical').table('thing', {
  id: bigint().primaryKey(),
  price: decimal(38, 18),
  label: text(),
  detail: json(),
  at: timestamp(),
  key: uuid(),
  isOpen: boolean(),
}) {}

const canonical = (name: string, value: string) => canonicalText(columnOf(Thing.definition, name), value)

test('a value has one text, however an engine writes it', () => {
  const alike: readonly (readonly [string, readonly string[]])[] = [
    ['price', ['1.5', '1.50', '+01.500', '15e-1']],
    ['price', ['0', '-0.00', '0e3']],
    ['price', ['12345678901234567890.000000000000000001', '12345678901234567890.0000000000000000010']],
    ['at', ['2024-01-01 00:00:00', '2024-01-01 02:00:00+02', '2024-01-01T00:00:00.000Z']],
    ['isOpen', ['t', '1', 'true']],
    ['key', ['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']],
    ['detail', ['{"b": 1.0, "a": [true, 1e2]}', '{"a":[true,100],"b":1}']],
  ]

  for (const [name, texts] of alike) {
    assert.equal(new Set(texts.map((value) => canonical(name, value))).size, 1, `${name} ${texts}`)
  }
})

test('values that differ have texts that differ', () => {
  const unlike: readonly (readonly [string, readonly string[]])[] = [
    ['price', ['12345678901234567890.1', '12345678901234567890.2']],
    ['label', ['a', 'A', 'a ', '', 'á']],
    ['detail', ['{"a":9007199254740993}', '{"a":9007199254740992}', '{"a":"9007199254740993"}']],
    ['at', ['2024-01-01 00:00:00.000001', '2024-01-01 00:00:00']],
  ]

  for (const [name, texts] of unlike) {
    assert.equal(new Set(texts.map((value) => canonical(name, value))).size, texts.length, `${name} ${texts}`)
  }
})

test('numbers are ordered as numbers, text by its bytes', () => {
  const order = (name: string, values: readonly string[]) =>
    [...values].sort((one, other) => compareTexts(columnOf(Thing.definition, name), one, other))

  assert.deepEqual(order('id', ['10', '9', '-1', '9223372036854775807']), ['-1', '9', '10', '9223372036854775807'])
  assert.deepEqual(order('price', ['1.5', '1.45', '-2', '10']), ['-2', '1.45', '1.5', '10'])
  assert.deepEqual(order('label', ['😀', '\uffee', 'a', 'Z']), ['Z', 'a', '\uffee', '😀'])
})
