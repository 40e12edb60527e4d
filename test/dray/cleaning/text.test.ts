import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cleanText } from 'dray/internal/cleaning/text.ts'
import fc from 'fast-check'

const cases: readonly (readonly [what: string, raw: string | null, clean: string | null])[] = [
  ['null stays null', null, null],
  ['empty text is null', '', null],
  ['white space alone is null', ' \t\u00a0\u3000\r\n', null],
  ['invisible characters alone are null', '\u200b\ufeff\u2060\u00ad', null],
  ['a filler that prints nothing is null', '\u3164', null],
  ['white space is trimmed and collapsed', '  Ann\t\u00a0 Lee\r\n', 'Ann Lee'],
  ['doubled spaces between plain letters are one', 'Ann  Lee', 'Ann Lee'],
  ['a space before plain letters goes', ' Ann', 'Ann'],
  ['a space after plain letters goes', 'Ann ', 'Ann'],
  ['line separators are white space', 'Ann\u2028Lee\u0085Roe', 'Ann Lee Roe'],
  ['control characters go', 'A\u0000n\u0007n\u009b', 'Ann'],
  ['zero-width characters go', 'A\u200bn\u2060n\ufeff', 'Ann'],
  ['direction marks go', '\u202eAnn\u202c', 'Ann'],
  ['decomposed letters are composed', 'Jose\u0301 Hu\u0308ber', 'José Hüber'],
  ['a letter is composed across an invisible character', 'e\u200b\u0301', 'é'],
  ['a letter that has a single form is left', 'Bjørn Łukasz Æsop', 'Bjørn Łukasz Æsop'],
  ['a joiner in Persian stays', 'می\u200cخواهم', 'می\u200cخواهم'],
  ['a joiner in Devanagari stays', 'क्\u200dष', 'क्\u200dष'],
  ['a joiner in an emoji stays', '👩\u200d💻', '👩\u200d💻'],
  ['a joiner between Latin letters goes', 'A\u200dn\u200cn', 'Ann'],
  ['a joiner at the end goes', 'नमस्ते\u200d', 'नमस्ते'],
  ['the replacement character stays, as evidence', 'M\ufffdller', 'M\ufffdller'],
]

for (const [what, raw, clean] of cases) {
  test(`cleanText: ${what}`, () => {
    assert.equal(cleanText(raw), clean)
  })
}

test('cleanText leaves clean text of several scripts as it is', () => {
  for (const text of ['José Müller-Ödön', 'Иван Петров', '山田太郎', 'O’Brien', 'a b c', '김철수', 'Γιώργος']) {
    assert.equal(cleanText(text), text)
  }
})

test('cleanText is idempotent, never throws and leaves neither control characters nor doubled spaces', () => {
  const hostile = fc.string({
    unit: fc.oneof(
      fc.constantFrom('\u200c', '\u200d', ' ', '\u0301', 'e', 'न', '\u00a0', '\u2126', '\ufe0f', '👩', '\u0000', 'ế'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    ),
  })
  fc.assert(
    fc.property(hostile, (raw) => {
      const clean = cleanText(raw)

      assert.equal(cleanText(clean), clean)
      if (clean === null) return
      assert.doesNotMatch(clean, /\p{Cc}|\s\s|^\s|\s$/u)
      assert.equal(clean.normalize('NFC'), clean)
    }),
    { numRuns: 3000 },
  )
})
