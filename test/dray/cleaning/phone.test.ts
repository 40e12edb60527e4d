import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cleanPhone } from 'dray/internal/cleaning/phone.ts'
import fc from 'fast-check'
import { getCountries, getExampleNumber } from 'libphonenumber-js/max'
import examples from 'libphonenumber-js/mobile/examples'

const valid: readonly (readonly [raw: string, country: string | null, clean: string])[] = [
  ['+55 (12) 3923-5555', null, '+551239235555'],
  ['+49 0711 2842222', null, '+497112842222'],
  ['+54 (0)11 4311 4333', null, '+541143114333'],
  ['001 650 253 0000', null, '+16502530000'],
  ['00 44 20 7946 0958', null, '+442079460958'],
  ['00 44 20 7946 0958', 'DE', '+442079460958'],
  ['0049 711 2842222', 'US', '+497112842222'],
  ['011 44 20 7946 0958', 'US', '+442079460958'],
  ['(650) 253-0000', 'US', '+16502530000'],
  ['650.253.0000', 'CA', '+16502530000'],
  ['1-650-253-0000', 'US', '+16502530000'],
  ['0711/2842222', 'DE', '+497112842222'],
  ['49 711 2842222', 'DE', '+497112842222'],
  ['(09) 870 2000', 'FI', '+35898702000'],
  ['06 39733434', 'IT', '+390639733434'],
  ['45 12 34 56', 'DK', '+4545123456'],
  ['+46 08-651 52 52', 'FI', '+4686515252'],
  ['+39 (0) 312 345 6789', null, '+393123456789'],
  ['+39 (0)6 39733434', null, '+390639733434'],
  ['0039 (0) 312 345 6789', 'DE', '+393123456789'],
  ['Tel.: 0711 2842222', 'DE', '+497112842222'],
  ['(+49) 711 2842222', null, '+497112842222'],
  ['(0049) 711 2842222', null, '+497112842222'],
  ['tel: +1-650-253-0000', null, '+16502530000'],
  ['Tel. +46 8 651 52 52', null, '+4686515252'],
  ['\u200b+46\u00a08\u00a0651\u00a052\u00a052 ', null, '+4686515252'],
  ['＋１ ６５０ ２５３ ００００', null, '+16502530000'],
  ['+800 1234 5678', null, '+80012345678'],
  ['0401234567', 'FI', '+358401234567'],
  ['358401234567', 'FI', '+358401234567'],
  ['612345678', 'ES', '+34612345678'],
  ['13612345678', 'CN', '+8613612345678'],
  ['98765 43210', 'IN', '+919876543210'],
  ['912 345-67-89', 'RU', '+79123456789'],
  ['20 22 03 11', 'DK', '+4520220311'],
  ['21212121', 'DK', '+4521212121'],
  ['0711 2842222-0', 'DE', '+4971128422220'],
  ['02/501/02/11', 'BE', '+3225010211'],
  ['+49 711/2842222', null, '+497112842222'],
]

for (const [raw, country, clean] of valid) {
  test(`cleanPhone reads ${raw} ${country ? `of a customer in ${country}` : 'without a country'}`, () => {
    assert.deepEqual(cleanPhone(raw, country), { value: clean, finding: null })
  })
}

test('cleanPhone makes null of a missing number, without a finding', () => {
  for (const missing of [null, '', ' ', '\u00a0']) assert.deepEqual(cleanPhone(missing), { value: null, finding: null })
})

test('cleanPhone refuses what is not one valid number', () => {
  const invalid = [
    '+453 3331 9991',
    '+56 (0)2 635 4444',
    '+91 0124 39883988',
    '12',
    '+49',
    '+',
    '-',
    '?????',
    'n/a',
    'call the office',
    '1-800-FLOWERS',
    '+999 123 4567',
    '000-000-0000',
    '+49 711 2842222 / +49 711 2842223',
    '+1 650 253 0000 or 0001',
    'x'.repeat(5000),
    '+1 555 12',
  ]
  for (const raw of invalid) {
    const { value, finding } = cleanPhone(raw, 'DE')

    assert.equal(value, null, raw)
    assert.deepEqual({ field: finding?.field, code: finding?.code }, { field: 'phone', code: 'invalid' }, raw)
  }
})

test('cleanPhone says where only the country is missing', () => {
  assert.equal(cleanPhone('0711 2842222').finding?.code, 'no-country')
  assert.equal(cleanPhone('0711 2842222', 'no such country').finding?.code, 'no-country')
})

test('cleanPhone refuses digits that are a number with and without the country code in front', () => {
  const { value, finding } = cleanPhone('483219123', 'PL')

  assert.deepEqual({ value, code: finding?.code }, { value: null, code: 'ambiguous' })
})

test('cleanPhone reads a number of each country as it is written there and abroad', () => {
  for (const country of getCountries()) {
    const example = getExampleNumber(country, examples)
    assert.ok(example)
    const national = example.formatNational()
    for (const raw of [
      national,
      national.replaceAll(/\D/g, ''),
      example.formatInternational(),
      example.number.slice(1),
    ]) {
      assert.deepEqual(cleanPhone(raw, country), { value: example.number, finding: null }, `${raw} of ${country}`)
    }
  }
})

/** What no one can dial as it is written, by the finding. */
const guesses: Readonly<Record<string, readonly (readonly [raw: string, country: string])[]>> = {
  other: [
    ['358401234567.0', 'FI'],
    ['401234567.0', 'FI'],
    ['+358 40 1234567.0', 'FI'],
    ['+358401234567.00', 'FI'],
    ['1712345678.0', 'DE'],
    ['0401234567,0', 'FI'],
    ['1234.56', 'AT'],
    ['1234567,89', 'PL'],
    ['€ 1234567.89', 'PL'],
    ['-0401234567', 'FI'],
    ['2022-03-11', 'FI'],
    ['2022/3/11', 'FI'],
    ['11.03.2022', 'AT'],
    ['01.02.22', 'AT'],
    ['20220311', 'DK'],
    ['31122022', 'DK'],
    ['2022 03 11', 'NO'],
    ['010170-1234', 'SE'],
    ['070123-4567', 'SE'],
    ['010170+1234', 'FI'],
    ['0112038-9', 'FI'],
  ],
  incomplete: [
    ['2842222', 'DE'],
    ['33612345678', 'DE'],
    ['1712345678', 'DE'],
    ['6123456', 'FI'],
    ['401234567', 'FI'],
    ['12345', 'AT'],
    ['612345678', 'FR'],
    ['20 7946 0958', 'GB'],
  ],
  ambiguous: [
    ['33612345678', 'IT'],
    ['33612345678', 'LU'],
  ],
  several: [
    ['0711 2842222/23', 'DE'],
    ['0711 2842222 / -23', 'DE'],
    ['+49 711 2842222/23', 'DE'],
    ['01 42 68 53 00/01', 'FR'],
    ['(212) 555-1234, 5551235', 'US'],
    ['+7 (912) 3456789; 3456780', 'RU'],
  ],
}

for (const [code, numbers] of Object.entries(guesses)) {
  for (const [raw, country] of numbers) {
    test(`cleanPhone makes null of ${raw} of a customer in ${country}, with the finding ${code}`, () => {
      const { value, finding } = cleanPhone(raw, country)

      assert.deepEqual({ value, field: finding?.field, code: finding?.code }, { value: null, field: 'phone', code })
    })
  }
}

test('cleanPhone drops an extension and says so', () => {
  for (const raw of [
    '+1 650 253 0000 ext. 12',
    '+1 650 253 0000x12',
    '+1 650 253 0000;ext=12',
    '+1 650 253 0000,,1234567',
  ]) {
    const { value, finding } = cleanPhone(raw)

    assert.equal(value, '+16502530000')
    assert.equal(finding?.code, 'extension-dropped')
  }
})

test('cleanPhone never throws, gives E.164 only, and changes nothing on a second pass', () => {
  const digits = fc.string({ unit: fc.constantFrom(...'0123456789+()- x'), maxLength: 24 })
  const country = fc.constantFrom(null, 'DE', 'US', 'IT', 'FI', 'BR', 'ZZ', '__proto__', 'de')
  fc.assert(
    fc.property(fc.oneof(digits, fc.string({ unit: 'binary' })), country, (raw, hint) => {
      const { value } = cleanPhone(raw, hint)

      if (value === null) return
      assert.match(value, /^\+[1-9]\d{4,14}$/)
      assert.deepEqual(cleanPhone(value, hint), { value, finding: null })
    }),
    { numRuns: 3000 },
  )
})
