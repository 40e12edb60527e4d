import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from 'dray/internal/cleaning/address.ts'
import { parseDate } from 'dray/internal/cleaning/date.ts'
import { cleanEmail } from 'dray/internal/cleaning/email.ts'
import { cleanPhone } from 'dray/internal/cleaning/phone.ts'
import { cleanText } from 'dray/internal/cleaning/text.ts'

const cleaners = { cleanText, cleanEmail, cleanPhone, parseAddress, parseDate }

const MEGABYTE = 1_000_000
/** A quadratic pass over a megabyte takes minutes; a linear one a tenth of this even where other work goes on. */
const LIMIT_MS = 3000

const repeated = [
  'a',
  '@',
  ' ',
  'a.',
  ',',
  'a,',
  ' ,',
  'a ',
  '\u200d',
  'न\u200d',
  '\u0301',
  '\n',
  '\n \n,',
  '1',
  '1 ',
  '+',
  '. ',
  '\u0000',
  'st ',
  '"\\',
  '(',
  '\u3164',
  'é ',
  'a@b.',
  '-',
  'New York ',
  '00',
  '\u00a0',
  '4B,\u2028',
]

for (const [name, clean] of Object.entries(cleaners)) {
  test(`${name} takes linear time on hostile text of a megabyte`, () => {
    for (const piece of repeated) {
      const body = piece.repeat(MEGABYTE / piece.length)
      for (const text of [body, `a@${body}.com`, `x, ${body}Helsinki`]) {
        const started = performance.now()
        clean(text)
        const elapsed = performance.now() - started

        assert.ok(elapsed < LIMIT_MS, `${JSON.stringify(piece)} took ${Math.round(elapsed)} ms`)
      }
    }
  })
}
