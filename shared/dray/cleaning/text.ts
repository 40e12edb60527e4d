/** White space of every script, line ends included. */
const WHITE_SPACE = /[\s\u0085]+/g

/** Control characters that are not white space. */
const CONTROLS = /[^\P{Cc}\t\n\v\f\r\u0085]/gu

/**
 * Characters that print nothing: zero-width spaces, soft hyphens, direction marks, byte order marks, fillers. Joiners,
 * variation selectors, emoji tags and the old Hangul fillers are left, since they change what is printed.
 */
const INVISIBLE =
  /(?!\u200c|\u200d|\u115f|\u1160|\p{Variation_Selector}|[\u{e0020}-\u{e007f}])\p{Default_Ignorable_Code_Point}/gu

const JOINERS = /\u200c|\u200d/
const LETTERS_THAT_NEVER_JOIN =
  '[\\p{Script=Latin}\\p{Script=Greek}\\p{Script=Cyrillic}\\p{Script=Han}\\p{Z}\\p{Nd}\\p{P}\\p{Cc}]'
/** A joiner means something only between two letters of a joining script (Arabic, Indic) or two emoji. */
const STRAY_JOINERS = new RegExp(
  `(?<=^|${LETTERS_THAT_NEVER_JOIN})[\\u200c\\u200d]+|[\\u200c\\u200d]+(?=$|${LETTERS_THAT_NEVER_JOIN})|(?<=[\\u200c\\u200d])[\\u200c\\u200d]+`,
  'gu',
)

/** True for text of common letters, where a look at the character codes shows that nothing is to be cleaned. */
function isPlain(value: string): boolean {
  let afterSpace = true
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code === 0x20) {
      if (afterSpace) return false
      afterSpace = true
      continue
    }
    afterSpace = false
    const ascii = code > 0x20 && code < 0x7f
    const latin = code > 0xa0 && code < 0x300 && code !== 0xad
    const cyrillic = code >= 0x400 && code < 0x483
    const ideograph = code >= 0x4e00 && code <= 0x9fff
    if (!ascii && !latin && !cyrillic && !ideograph) return false
  }
  return !afterSpace
}

function cleanOnce(value: string): string {
  return value
    .normalize('NFC')
    .replace(CONTROLS, '')
    .replace(INVISIBLE, '')
    .replace(STRAY_JOINERS, '')
    .normalize('NFC')
    .replace(WHITE_SPACE, ' ')
    .trim()
}

/**
 * Text in Unicode normal form C without control and invisible characters, any white space as one space, trimmed; null
 * where nothing is left. Joiners stay where they join (Persian, Indic scripts, emoji). Text that is clean is returned
 * as it is.
 */
export function cleanText(value: string | null): string | null {
  if (value === null || value === '') return null
  if (isPlain(value)) return value
  let cleaned = cleanOnce(value)
  // Taking one joiner away can leave the next one stray, or let two characters compose.
  for (let round = 0; round < 4 && JOINERS.test(cleaned); round++) {
    const again = cleanOnce(cleaned)
    if (again === cleaned) break
    cleaned = again
  }
  return cleaned === '' ? null : cleaned
}
