import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { binary, decimal, varchar } from 'dray/internal/active-record/field-kinds.ts'
import { dateOf, dateOfTimestamp, decimalOf, fitsDecimal, timestampOf } from 'dray/internal/active-record/values.ts'
import { DataQualityError } from 'dray/internal/errors.ts'
import fc from 'fast-check'

describe('timestampOf', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['2024-02-29 23:59:59.123456', '2024-02-29 23:59:59.123456'],
    ['2024-01-01 02:00:00+02', '2024-01-01 00:00:00'],
    ['2024-01-01 00:30:00.5+05:30', '2023-12-31 19:00:00.5'],
    ['2024-01-01T00:00:00Z', '2024-01-01 00:00:00'],
    ['2024-01-01T00:00:00.120000Z', '2024-01-01 00:00:00.12'],
    ['2024-01-01', '2024-01-01 00:00:00'],
    ['0001-01-01 00:00:00', '0001-01-01 00:00:00'],
    ['9999-12-31 23:59:59.999999+00', '9999-12-31 23:59:59.999999'],
    ['infinity', 'infinity'],
    ['-infinity', '-infinity'],
    ['0044-03-15 12:00:00+00 BC', '0044-03-15 12:00:00 BC'],
  ]
  for (const [text, expected] of cases) {
    test(`takes ${text} for ${expected} in UTC`, () => {
      assert.equal(timestampOf(text), expected)
    })
  }

  for (const text of [
    '',
    '0000-00-00 00:00:00',
    '2023-02-29',
    '2024-13-01',
    '2024-01-01 24:00',
    '11/03/2022',
    '2024-01-01 00:00:00.1234567',
  ]) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => timestampOf(text), DataQualityError)
    })
  }

  test('keeps every microsecond whatever the offset', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('0002-01-01'), max: new Date('9998-01-01'), noInvalidDate: true }),
        fc.integer({ min: 0, max: 999_999 }),
        fc.integer({ min: -14 * 60, max: 14 * 60 }),
        (moment, micros, offset) => {
          const utc = moment.toISOString().slice(0, 19).replace('T', ' ')
          const fraction = String(micros).padStart(6, '0')
          const shifted = new Date(Date.parse(`${utc.replace(' ', 'T')}Z`) + offset * 60_000).toISOString().slice(0, 19)
          const sign = offset < 0 ? '-' : '+'
          const zone = `${sign}${String(Math.trunc(Math.abs(offset) / 60)).padStart(2, '0')}:${String(Math.abs(offset) % 60).padStart(2, '0')}`

          const actual = timestampOf(`${shifted}.${fraction}${zone}`)

          const digits = fraction.replace(/0+$/, '')
          assert.equal(actual, digits === '' ? utc : `${utc}.${digits}`)
        },
      ),
    )
  })
})

describe('dateOf and decimalOf', () => {
  test('refuse what is no date of the calendar', () => {
    for (const text of ['2021-02-30', '0000-00-00', '2021-1-1', '2021-01-01 '])
      assert.throws(() => dateOf(text), DataQualityError)
    assert.equal(dateOf('2000-02-29'), '2000-02-29')
    assert.equal(dateOfTimestamp(timestampOf('2024-01-01 01:00:00+02')), '2023-12-31')
  })

  test('keep a decimal as it was written, and refuse what is none', () => {
    for (const text of ['12345678901234567890.123456789012345678', '-0.00', '.5', '1e400', 'NaN', '-Infinity']) {
      assert.equal(decimalOf(text), text)
    }
    for (const text of ['', '1,5', 'N/A', '0x10', '1.2.3', ' 1']) assert.throws(() => decimalOf(text), DataQualityError)
  })
})

describe('fitsDecimal', () => {
  for (const text of [
    '99999999.99',
    '-0.01',
    '1.500',
    '00000000001',
    '1e7',
    '.5',
    '1500e-3',
    '0e40',
    'NaN',
    '-Infinity',
  ]) {
    test(`takes ${text} for a decimal(10, 2)`, () => {
      assert.equal(fitsDecimal(decimalOf(text), 10, 2), true)
    })
  }
  for (const text of ['1.005', '100000000', '1e8', '1e-3', '-123456789.1']) {
    test(`does not take ${text} for a decimal(10, 2)`, () => {
      assert.equal(fitsDecimal(decimalOf(text), 10, 2), false)
    })
  }

  test('agrees with whole numbers', () => {
    fc.assert(
      fc.property(fc.bigInt(-(10n ** 14n), 10n ** 14n), fc.integer({ min: 0, max: 6 }), (units, places) => {
        const digits = String(units < 0n ? -units : units).padStart(places + 1, '0')
        const point = digits.length - places
        const text = `${units < 0n ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`

        const thousandths = units * 10n ** BigInt(6 - places)
        const expected = thousandths % 1000n === 0n && thousandths < 10n ** 13n && thousandths > -(10n ** 13n)
        assert.equal(fitsDecimal(decimalOf(text), 10, 3), expected)
      }),
      { numRuns: 2_000 },
    )
  })
})

test('a field is given no size that no database takes', () => {
  for (const make of [
    () => varchar(0),
    () => varchar(-1),
    () => varchar(1.5),
    () => binary(0),
    () => decimal(0, 0),
    () => decimal(5, -1),
  ]) {
    assert.throws(make, { name: 'Configuration', message: /was given the size .* whole number/ })
  }
})
