import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FieldType } from 'dray/internal/active-record/field-type.ts'
import { masked } from 'dray-infra/internal/add/masked.ts'

const JSON_TYPE: FieldType = { kind: 'json', length: null, precision: null, scale: null }

test('a document keeps the names of its fields, and neither its values nor names that are values', () => {
  const text = JSON.stringify({
    name: 'Ann Lee',
    'given-name': 'Ann',
    accounts: { 'ann@example.com': { balance: 12.5 }, '0401234567': [true, null, 'Ann'] },
  })

  assert.deepEqual(JSON.parse(masked(text, JSON_TYPE) as string), {
    name: 'Xxx Xxx',
    'given-name': 'Xxx',
    accounts: { 'xxx@xxxxxxx.xxx': { balance: 1 }, '0000000000': [true, null, 'Xxx'] },
  })
})
