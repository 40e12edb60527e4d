import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { commentsOf } from 'dray-infra/internal/page/source-comments.ts'

describe('the comments of a file', () => {
  const of = (...lines: readonly string[]) => Object.fromEntries(commentsOf(lines.join('\n')))

  test('are those right above classes, constants and fields', () => {
    assert.deepEqual(
      of(
        '/** Orders of the till. */',
        "export class TargetOrder extends lake.table('orders', {",
        '  /** Made by the till. */',
        '  id: bigint().primaryKey(),',
        '  name: text(),',
        '}) {}',
        '/** What loads them. */',
        "export const orders = pipeline('orders', {})",
      ),
      { TargetOrder: 'Orders of the till.', 'TargetOrder.id': 'Made by the till.', orders: 'What loads them.' },
    )
  })

  test('are one line each, however many they were written in', () => {
    assert.deepEqual(of('/**', ' * Free text,', ' *   as people typed it.', ' */', 'export class A extends b {}'), {
      A: 'Free text, as people typed it.',
    })
  })

  test('belong to nothing that stands apart from them', () => {
    assert.deepEqual(of('/** Of the file. */', '', 'export class A extends b {}'), {})
    assert.deepEqual(of('// no comment of this kind', 'export class A extends b {}'), {})
  })

  test('are none where one is not ended', () => {
    assert.deepEqual(of('/** Of A. */', 'export class A extends b {}', '/** without an end', 'export class B {}'), {
      A: 'Of A.',
    })
  })
})
