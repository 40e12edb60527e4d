import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cleanEmail } from 'dray/internal/cleaning/email.ts'
import fc from 'fast-check'

test('cleanEmail trims and lower-cases a valid address', () => {
  assert.deepEqual(cleanEmail('  Ann.Lee@Example.COM\u00a0'), { value: 'ann.lee@example.com', finding: null })
})

test('cleanEmail keeps tags, subdomains and letters of other scripts', () => {
  for (const email of [
    'ann+tag@mail.example.co.uk',
    'stanisław.wójcik@wp.pl',
    "o'reilly@example.ie",
    'a@bücher.example',
  ]) {
    assert.deepEqual(cleanEmail(email), { value: email, finding: null })
  }
})

test('cleanEmail keeps the spaces of a quoted part', () => {
  assert.deepEqual(cleanEmail(' "a  b"@Example.com\u00a0'), { value: '"a  b"@example.com', finding: null })
})

test('cleanEmail makes null of a missing address, without a finding', () => {
  for (const missing of [null, '', '  \t', '\u200b'])
    assert.deepEqual(cleanEmail(missing), { value: null, finding: null })
})

test('cleanEmail makes null of an invalid address, and says so without repeating it', () => {
  const invalid = [
    'ann',
    'ann@',
    '@example.com',
    'ann@@example.com',
    'ann@localhost',
    'ann lee@example.com',
    'ann@example..com',
    'ann..lee@example.com',
    'a@example.com, b@example.com',
    'a@example.com; b@example.com',
    'Ann <ann@example.com>',
    'ann@example.com.',
    'n/a',
    'ann@-example.com',
    'ann@127.0.0.1',
    'mailto:ann@example.com@',
  ]
  for (const raw of invalid) {
    const { value, finding } = cleanEmail(raw)

    assert.equal(value, null, raw)
    assert.equal(finding?.field, 'email')
    assert.equal(finding?.code, 'invalid')
    assert.ok(!finding?.message.includes(raw), raw)
  }
})

test('cleanEmail refuses more than 254 characters', () => {
  const longest = `${'a'.repeat(64)}@${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.example`.slice(0, 254)

  assert.equal(longest.length, 254)
  assert.equal(cleanEmail(longest).value, longest)
  assert.equal(cleanEmail(`${longest}x`).finding?.code, 'too-long')
})

test('cleanEmail never throws, and changes nothing on a second pass', () => {
  const text = fc.oneof(
    fc.emailAddress(),
    fc.string({ unit: 'binary' }),
    fc.emailAddress().map((email) => ` ${email.toUpperCase()}\t`),
  )
  fc.assert(
    fc.property(text, (raw) => {
      const { value } = cleanEmail(raw)

      if (value !== null) assert.deepEqual(cleanEmail(value), { value, finding: null })
    }),
    { numRuns: 2000 },
  )
})
