import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wattHoursOf } from './pipeline.ts'

test('a reading is archived in watt hours', () => {
  assert.equal(wattHoursOf('1.234'), '1234')
  assert.equal(wattHoursOf('-1.000'), null)
})
