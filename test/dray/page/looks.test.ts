import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { lookDocument } from 'dray-infra/internal/page/looks.ts'

describe('what a look at the tables of a replica has seen', () => {
  const table = { pipeline: 'raw/orders', target: 'lake.orders', is_new: false, made_by_next_run: [], left: [] }
  const checks = (more: object) => {
    const printed = { replica: 'raw', tables: [{ ...table, refused: null, ...more }] }
    const found = lookDocument({ kind: 'tables', pipeline: 'raw/orders' }, printed, { isMasked: true })
    return found.kind === 'tables' ? found.checks.map(({ verdict, said }) => [verdict, said]) : []
  }

  test('is nothing where its copy fits', () => {
    assert.deepEqual(checks({}), [])
  })

  test('is what the next run makes, and what is left to people', () => {
    assert.deepEqual(checks({ is_new: true }), [['warned', 'the next run makes the table lake.orders']])
    assert.deepEqual(checks({ made_by_next_run: [{ what: 'adds city TEXT' }], left: ['name stays'] }), [
      ['warned', 'the next run adds city TEXT'],
      ['broken', 'name stays'],
    ])
  })

  test('is why it is refused', () => {
    assert.deepEqual(checks({ refused: 'it has two keys' }), [['broken', 'it has two keys']])
  })
})
