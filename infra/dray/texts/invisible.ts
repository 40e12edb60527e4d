/** Characters that a terminal does not show, or that change how it shows others: control, format, zero width. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function escapeOf(character: string): string {
  const code = character.codePointAt(0) as number
  return NAMED[character] ?? (code <= 0xffff ? `\\u${hexOf(code)}` : `\\u{${code.toString(16)}}`)
}

function hexOf(unit: number): string {
  return unit.toString(16).padStart(4, '0')
}

/** Text as a terminal may show it: what it would not show is escaped, so that no value looks like another one. */
export function visible(text: string): string {
  return text.replace(INVISIBLE, escapeOf)
}

/** The same for a JSON document, which says the same afterwards: such characters are within its strings alone. */
export function visibleJson(document: string): string {
  return document.replace(INVISIBLE, (character) => {
    if (character === '\n') return character
    return Array.from({ length: character.length }, (_, place) => `\\u${hexOf(character.charCodeAt(place))}`).join('')
  })
}
