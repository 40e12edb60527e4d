import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseAddress } from 'dray/internal/cleaning/address.ts'
import { parseDate } from 'dray/internal/cleaning/date.ts'
import { cleanPhone } from 'dray/internal/cleaning/phone.ts'
import { europe } from './world/addresses-europe.ts'
import { others } from './world/addresses-others.ts'
import { overseas } from './world/addresses-overseas.ts'
import { dates } from './world/dates.ts'
import { phones } from './world/phones.ts'

/**
 * Forms of the world with what they say. A value is right, or null where it can be read in two ways; a wrong one is
 * never given. What is refused though it is plain to a person is listed, and is less than one in twenty.
 */
interface Judged {
  readonly form: string
  /** Right values, by column; null: none is there, or it can be read in two ways. */
  readonly right: Readonly<Record<string, string | null>>
  /** Columns that may be null all the same. */
  readonly mayBeNull: ReadonlySet<string>
  readonly got: Readonly<Record<string, string | null>>
  readonly hasFinding: boolean
}

const lines = (table: string) => table.split('\n').filter((line) => line.trim() !== '')

function judgedAddress(line: string, columns: readonly string[]): Judged {
  const [left = '', right = ''] = line.split(' => ')
  const [, given, form = ''] = /^(?:\[([A-Z]{2})\] )?(.*)$/s.exec(left.replaceAll('\\n', '\n')) ?? []
  const values = right.split('|').map((value) => value.trim())
  const judged = columns.flatMap((column, at) => (values[at] === '*' ? [] : [[column, values[at] ?? ''] as const]))
  const parsed = parseAddress(form, given)
  const all = { ...parsed } as unknown as Record<string, string | null>
  return {
    form,
    right: Object.fromEntries(judged.map(([column, value]) => [column, value.replace('?', '') || null])),
    mayBeNull: new Set(judged.flatMap(([column, value]) => (value.startsWith('?') ? [column] : []))),
    got: Object.fromEntries(judged.map(([column]) => [column, all[column] ?? null])),
    hasFinding: parsed.findings.length > 0,
  }
}

function judgedValue(line: string, clean: (form: string, given: string) => ReturnType<typeof cleanPhone>): Judged[] {
  const [form = '', given = '', says = ''] = line.split('|')
  const value = says.trim()
  if (value === '~-') return []
  const { value: got, finding } = clean(form, given)
  return [
    {
      form,
      right: { value: value === '-' ? null : value.replace('~', '') },
      mayBeNull: new Set(value.startsWith('~') ? ['value'] : []),
      got: { value: got },
      hasFinding: finding !== null,
    },
  ]
}

const inFull = ['line', 'city', 'state', 'postalCode', 'countryCode']
const addresses = [
  ...lines(europe + overseas).map((line) => judgedAddress(line, inFull)),
  ...lines(others).map((line) => judgedAddress(line, inFull.slice(1))),
]
/** A line that holds what could not be told apart, or a country that is not written, is not judged. */
const isJudged = ({ right, got }: Judged, column: string) =>
  (column !== 'line' ||
    (right.line !== null && Object.keys(right).every((one) => one === 'line' || right[one] === got[one]))) &&
  (column !== 'countryCode' || right.countryCode !== null)

const kinds: Readonly<Record<string, readonly Judged[]>> = {
  addresses,
  phones: lines(phones).flatMap((line) => judgedValue(line, (form, given) => cleanPhone(form, given || null))),
  dates: lines(dates).flatMap((line) =>
    judgedValue(line, (form, given) => parseDate(form, given === '' ? {} : { order: given as 'dmy' })),
  ),
}

const sameText = (one: string | null, other: string | null) => one?.toLowerCase() === other?.toLowerCase()

describe('forms of the world', () => {
  test('are five hundred at least, of eighty countries', () => {
    const countries = new Set(addresses.map(({ right }) => right.countryCode).filter(Boolean))

    assert.ok(Object.values(kinds).flat().length >= 500)
    assert.ok(countries.size >= 80, `${countries.size} countries`)
  })

  for (const [kind, forms] of Object.entries(kinds)) {
    test(`give no wrong value: ${kind}`, () => {
      const wrong = forms.flatMap((judged) =>
        Object.entries(judged.right).flatMap(([column, right]) => {
          const got = judged.got[column] ?? null
          const isWrong = got !== null && !sameText(got, right) && isJudged(judged, column)
          return isWrong ? [`${judged.form}: ${column} is ${got}, not ${right}`] : []
        }),
      )

      assert.deepEqual(wrong, [])
    })

    test(`are refused in less than one of twenty, where they are plain: ${kind}`, (context) => {
      const refused = forms.flatMap((judged) => {
        const missing = Object.entries(judged.right).filter(
          ([column, right]) =>
            right !== null && judged.got[column] === null && !judged.mayBeNull.has(column) && column !== 'line',
        )
        return missing.length === 0 ? [] : [`${judged.form}: no ${missing.map(([column]) => column).join(', ')}`]
      })
      for (const one of refused) context.diagnostic(`refused though plain: ${one}`)

      assert.ok(refused.length < forms.length / 20, `${refused.length} of ${forms.length}`)
    })
  }

  test('give a finding where a phone number or a date is null', () => {
    const silent = [...(kinds.phones ?? []), ...(kinds.dates ?? [])].filter(
      ({ got, hasFinding }) => got.value === null && !hasFinding,
    )

    assert.deepEqual(
      silent.map(({ form }) => form),
      [],
    )
  })
})
