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

/** Processor time of the best of three, in ms. Below a few of them most of it is what else the process does. */
function spent(work: () => unknown): number {
  const tries = Array.from({ length: 3 }, () => {
    const before = process.cpuUsage()
    work()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1_000
  })
  return Math.max(5, Math.min(...tries))
}

/** How many times as long the longer text takes; the least of ten where a busy machine makes one of them too many. */
function growthOf(clean: (text: string) => unknown, text: string, longer: string): number {
  let least = Number.POSITIVE_INFINITY
  for (let tries = 0; tries < 10 && least >= MOST; tries++) {
    least = Math.min(least, spent(() => clean(longer)) / spent(() => clean(text)))
  }
  return least
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
        const growth = growthOf(clean, text, longer[place] as string)

        assert.ok(
          growth < MOST,
          `${JSON.stringify(piece)}: ${TIMES} times the text takes ${growth.toFixed(1)} times as long`,
        )
      }
    }
  })
}
