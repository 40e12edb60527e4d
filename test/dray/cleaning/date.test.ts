import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDate } from 'dray/internal/cleaning/date.ts'
import fc from 'fast-check'

const dates: readonly (readonly [raw: string, date: string])[] = [
  ['2022-03-11', '2022-03-11'],
  ['2022-03-11 00:00:00', '2022-03-11'],
  ['2022-03-11T23:30:00Z', '2022-03-11'],
  ['2022-03-11T23:30:00.123456-08:00', '2022-03-11'],
  ['2022-03-11 23:30:00.5+02', '2022-03-11'],
  ['2022-03-11 9:30', '2022-03-11'],
  ['2022/3/1', '2022-03-01'],
  ['2022.03.11', '2022-03-11'],
  ['11.3.2022', '2022-03-11'],
  ['3.11.2022', '2022-11-03'],
  ['11. 3. 2022', '2022-03-11'],
  ['11.03.2022 09:30', '2022-03-11'],
  ['13/03/2022', '2022-03-13'],
  ['03/13/2022', '2022-03-13'],
  ['03/03/2022', '2022-03-03'],
  ['31-12-2022', '2022-12-31'],
  ['03/13/2022 10:15 PM', '2022-03-13'],
  ['March 11, 2022', '2022-03-11'],
  ['Mar. 11 2022', '2022-03-11'],
  ['March 11th, 2022 at 10:15', '2022-03-11'],
  ['11 Mar 2022', '2022-03-11'],
  ['11-Mar-2022', '2022-03-11'],
  ['1st of March 2022', '2022-03-01'],
  ['11. März 2022', '2022-03-11'],
  ['11 mars 2022', '2022-03-11'],
  ['11 de março de 2022', '2022-03-11'],
  ['11. maaliskuuta 2022', '2022-03-11'],
  ['11 marca 2022', '2022-03-11'],
  ['Fri, 11 Mar 2022 23:30:00 GMT', '2022-03-11'],
  ['Fri Mar 11 2022 23:30:00 GMT+0200 (Eastern European Standard Time)', '2022-03-11'],
  ['Fri Mar 11 23:30:00 UTC 2022', '2022-03-11'],
  ['20220311', '2022-03-11'],
  ['20220311093000', '2022-03-11'],
  ['202203110930', '2022-03-11'],
  ['20240131T101112Z', '2024-01-31'],
  ['20240131T1011+0200', '2024-01-31'],
  ['13NOV2017', '2017-11-13'],
  ['2022年3月11日', '2022-03-11'],
  ['2022년 3월 11일', '2022-03-11'],
  ['1646956800', '2022-03-11'],
  ['1647043199', '2022-03-11'],
  ['1646956799999', '2022-03-10'],
  ['1000000000', '2001-09-09'],
  ['1999999999999', '2033-05-18'],
  ['Friday 11 March 2022', '2022-03-11'],
  ['Fr, 11. März 2022', '2022-03-11'],
  ['vendredi 11 mars 2022', '2022-03-11'],
  ['sexta-feira, 11 de março de 2022', '2022-03-11'],
  ['пятница, 11 марта 2022', '2022-03-11'],
  ['do 10 maart 2022', '2022-03-10'],
  ['Thurs. March 10, 2022', '2022-03-10'],
  ['2022-03-11 10:00 Uhr', '2022-03-11'],
  ['2022-03-11 10:00 +0200 (EET)', '2022-03-11'],
  ['1583-01-01', '1583-01-01'],
  ['2200-12-31', '2200-12-31'],
  ['0001-01-01', '0001-01-01'],
  ['9999-12-31 23:59:59', '9999-12-31'],
  ['2024-02-29', '2024-02-29'],
  ['2000-02-29', '2000-02-29'],
  [' \u00a02022-03-11\t', '2022-03-11'],
]

for (const [raw, date] of dates) {
  test(`parseDate reads ${raw.trim()}`, () => {
    assert.deepEqual(parseDate(raw), { value: date, finding: null })
  })
}

test('parseDate makes null of a date that could be two, and reads it in the order that is given', () => {
  assert.deepEqual(
    { value: parseDate('11/03/2022').value, code: parseDate('11/03/2022').finding?.code },
    { value: null, code: 'ambiguous' },
  )
  assert.deepEqual(parseDate('11/03/2022', { order: 'dmy' }), { value: '2022-03-11', finding: null })
  assert.deepEqual(parseDate('11/03/2022', { order: 'mdy' }), { value: '2022-11-03', finding: null })
})

test('parseDate makes null of a date that stands against the order that is given', () => {
  const against = [
    ['13/03/2022', 'mdy'],
    ['31-12-2022 10:00', 'mdy'],
    ['03/13/2022', 'dmy'],
  ] as const
  for (const [raw, order] of against) {
    const { value, finding } = parseDate(raw, { order })

    assert.deepEqual({ raw, value, code: finding?.code }, { raw, value: null, code: 'contradiction' })
  }
  assert.equal(parseDate('13.03.2022', { order: 'mdy' }).value, '2022-03-13')
})

test('parseDate reads nothing but the weekday of the date in front of it', () => {
  const words = 'before until not No due expires DOB ca. April to do min since от до seit'.split(' ')
  for (const word of words) {
    const { value, finding } = parseDate(`${word} 11 March 2022`)

    assert.deepEqual({ word, value, code: finding?.code }, { word, value: null, code: 'invalid' })
  }
  for (const raw of ['Monday 11 March 2022', 'Mon, 11 Mar 2022 23:30:00 GMT', 'Montag, 11. März 2022']) {
    assert.equal(parseDate(raw).finding?.code, 'contradiction', raw)
  }
  assert.equal(parseDate('do 11 marca 2022').finding?.code, 'invalid')
})

test('parseDate makes null of a missing date, without a finding', () => {
  for (const missing of [null, '', '  ']) assert.deepEqual(parseDate(missing), { value: null, finding: null })
})

const refusals: Readonly<Record<string, readonly string[]>> = {
  impossible: [
    '2021-02-30',
    '2022-13-01',
    '2022-00-10',
    '1900-02-29',
    '31.11.2022',
    '32.1.2022',
    'February 30, 2022',
    '20220230',
    '20221301',
    '951782400000',
    '0000-01-01',
  ],
  ambiguous: [
    '1960031109',
    '2567/01/15',
    '2565-03-11 10:00',
    '2565-03-11',
    '25670115',
    '1403/05/12',
    '1445/09/01',
    '1445-09-01 10:00:00',
    '1582-12-31',
    '2201-01-01',
    '11 March 1445',
  ],
  'zero-date': ['0000-00-00', '0000-00-00 00:00:00'],
  invalid: [
    'unknown',
    '11.3.22',
    '3/4/22',
    '11 Mar 22',
    '12022-01-01',
    '2022',
    '2022-03',
    '2022-03-11 nonsense',
    '2022-03-11 25:61:00',
    'Foo 11, 2022',
    '12345',
    '000000000',
    '20240131T991112Z',
    '20240131T240000Z',
    '20240131T101112+9900',
    '2022031109',
    '200001012460',
    '20220311996199',
    '20220311240000',
    '4006381333931',
    '5551234567',
    '123456789',
    '999999999',
    '2000000000',
    '2022-03-11T24:00:00Z',
    '2022-03-11 24:00:00',
    '2022-03-11 10:00+99:99',
    '2022-03-11 13:00 AM',
    '2022-03-11 10:00 not',
    '2022-03-11 10:00 (cancelled)',
    'Fri Mar 11 25:99:99 2022',
    'Fri Mar 11 10:00:00 NOT 2022',
    '-1',
  ],
}

for (const [code, texts] of Object.entries(refusals)) {
  for (const raw of texts) {
    test(`parseDate makes null of ${raw}, with the finding ${code}`, () => {
      const { value, finding } = parseDate(raw, { field: 'created_at' })

      assert.equal(value, null)
      assert.deepEqual({ field: finding?.field, code: finding?.code }, { field: 'created_at', code })
    })
  }
}

test('parseDate agrees with the calendar on every day of three decades, as an epoch', () => {
  for (let day = Date.UTC(2001, 8, 10); day < Date.UTC(2026, 0, 1); day += 86_400_000) {
    const date = new Date(day).toISOString().slice(0, 10)

    assert.equal(parseDate(String(day / 1000)).value, date)
    assert.equal(parseDate(String(day)).value, date)
  }
})

test('parseDate agrees with the calendar on every day of four centuries', () => {
  for (let day = Date.UTC(1801, 6, 1); day < Date.UTC(2200, 0, 1); day += 86_400_000 * 3) {
    const date = new Date(day).toISOString().slice(0, 10)

    assert.equal(parseDate(date).value, date)
    assert.equal(parseDate(date.replaceAll('-', '')).value, date)
    assert.equal(parseDate(`${Number(date.slice(8))}.${Number(date.slice(5, 7))}.${date.slice(0, 4)}`).value, date)
  }
})

test('parseDate never throws, and changes nothing on a second pass', () => {
  const texts = fc.oneof(
    fc.string({ unit: fc.constantFrom(...'0123456789-/.: TZ+Mar'), maxLength: 24 }),
    fc.string({ unit: 'binary' }),
    fc.date({ noInvalidDate: true }).map((date) => date.toString()),
  )
  fc.assert(
    fc.property(texts, (raw) => {
      const { value } = parseDate(raw)

      if (value !== null) assert.deepEqual(parseDate(value), { value, finding: null })
    }),
    { numRuns: 3000 },
  )
})
