import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from 'dray/internal/cleaning/address.ts'
import { parseDate } from 'dray/internal/cleaning/date.ts'
import { cleanEmail } from 'dray/internal/cleaning/email.ts'
import { cleanPhone } from 'dray/internal/cleaning/phone.ts'
import { cleanText } from 'dray/internal/cleaning/text.ts'

const cleaners = { cleanText, cleanEmail, cleanPhone, parseAddress, parseDate }

const SMALL = 30_000
const TIMES = 8
/** A linear pass takes eight times as long over eight times the text, a quadratic one sixty-four times. */
const MOST = 32

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

/**
 * The best of three, in ms: what else the machine does only adds to it. Below a few of them that is most of what the
 * clock says.
 */
function spent(work: () => unknown): number {
  const tries = Array.from({ length: 3 }, () => {
    const started = performance.now()
    work()
    return performance.now() - started
  })
  return Math.max(5, Math.min(...tries))
}

const hostile = (piece: string, length: number) => {
  const body = piece.repeat(length / piece.length)
  return [body, `a@${body}.com`, `x, ${body}Helsinki`]
}

for (const [name, clean] of Object.entries(cleaners)) {
  test(`${name} takes linear time on hostile text`, () => {
    for (const piece of repeated) {
      const longer = hostile(piece, TIMES * SMALL)
      for (const [place, text] of hostile(piece, SMALL).entries()) {
        const growth = spent(() => clean(longer[place] as string)) / spent(() => clean(text))

        assert.ok(
          growth < MOST,
          `${JSON.stringify(piece)}: ${TIMES} times the text takes ${growth.toFixed(1)} times as long`,
        )
      }
    }
  })
}
