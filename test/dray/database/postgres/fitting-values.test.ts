import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fittingRows } from 'dray/internal/database/postgres/merge/fitting-values.ts'

const narrow = (column: string, wide: string, type: string) => ({
  column,
  wide,
  type,
  loses: '',
  code: '',
  message: '',
})
const fits = fittingRows(
  ['id', 'amount', 'name', 'at'],
  [
    narrow('amount', 'numeric', 'numeric(12,2)'),
    narrow('name', 'varchar', 'character varying(5)'),
    narrow('at', 'timestamptz', 'timestamp(3) with time zone'),
  ],
)
const isFitting = (...lines: string[]) => fits?.(Buffer.from(lines.map((line) => `${line}\n`).join('')))

describe('rows that are sure to be kept as they are', () => {
  test('have no more digits, characters or fractions than their columns', () => {
    const fitting = isFitting('1\t-12.34\tabcde\t2024-01-02 03:04:05.123+00', '2\t\\N\t\\N\t\\N', '3\t7\t\t2024-01-02')

    assert.equal(fitting, true)
  })

  for (const [name, line] of [
    ['a third digit', '1\t12.345\ta\t2024-01-02'],
    ['an exponent', '1\t1e5\ta\t2024-01-02'],
    ['an exponent behind the point', '1\t1.2e-7\ta\t2024-01-02'],
    ['not a number', '1\tNaN\ta\t2024-01-02'],
    ['a space too many', '1\t1\tabcde \t2024-01-02'],
    ['bytes beyond the length', '1\t1\täöå\t2024-01-02'],
    ['microseconds', '1\t1\ta\t2024-01-02 03:04:05.1234'],
    ['a field too few', '1\t1\ta'],
  ] as const) {
    test(`are not told from others with ${name}`, () => {
      const fitting = isFitting('9\t1\ta\t2024-01-02', line, '9\t1\ta\t2024-01-02')

      assert.equal(fitting, false)
    })
  }

  test('are left to the server where a type is not known', () => {
    assert.equal(fittingRows(['id'], [narrow('id', 'json', 'jsonb')]), null)
  })
})
