import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { unusedVersions, versionsIn } from 'dray/internal/triggers/unused-versions.ts'

const DAY = 24 * 3_600_000
const now = 100 * DAY
const published = (...numbers: number[]) => numbers.map((number) => ({ number, publishedAt: now - 10 * DAY + number }))

describe('the versions of functions that may be deleted', () => {
  test('are those that neither a machine nor a running execution names, nor the one before', () => {
    assert.deepEqual(unusedVersions(published(1, 2, 3, 4, 5), new Set([5]), now), [1, 2, 3])
    assert.deepEqual(unusedVersions(published(1, 2, 3, 4, 5), new Set([5, 2]), now), [1, 3])
  })

  test('are none that a deployment may just have published', () => {
    const young = [{ number: 1, publishedAt: now - DAY + 1 }, ...published(2, 3)]

    assert.deepEqual(unusedVersions(young, new Set([3]), now), [])
    assert.deepEqual(unusedVersions(published(1, 2, 3), new Set([1]), now), [])
  })

  test('are looked for in definitions by their whole ARNs', () => {
    const arn = (name: string, version: string) => `arn:aws:lambda:eu-north-1:123456789012:function:${name}${version}`
    const found = versionsIn([
      JSON.stringify({ a: arn('Dray-test_orders_load', ':7'), b: arn('Dray-test_dray_plan', ':12') }),
      JSON.stringify({ a: arn('Dray-test_orders_load', ':6'), b: arn('other', '') }),
    ])

    assert.deepEqual(
      [...found].map(([name, numbers]) => [name, [...numbers].sort()]),
      [
        ['Dray-test_orders_load', [6, 7]],
        ['Dray-test_dray_plan', [12]],
      ],
    )
  })
})
