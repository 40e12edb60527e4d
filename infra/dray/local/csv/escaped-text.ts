import { TerminalError } from 'dray/internal/errors.ts'

/** No text has it: the Unicode Standard keeps it for what a program needs within itself. */
const HIDDEN = '\ufdd0'
const MEANINGS: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  f: '\f',
  v: '\v',
  '0': '\0',
  Z: '\u001a',
}
const NULL_FIELD = `${HIDDEN}004e`

/**
 * Text with backslash escapes, as MySQL's OUTFILE and COPY write it. The parser of CSV knows no other escapes than
 * those of quotes, so they are hidden from it and put back in its fields.
 */
export class EscapedText {
  readonly #isGiven: boolean

  /** Where it was found and not given, what else than a quote or a backslash is escaped may be meant otherwise. */
  constructor(isGiven: boolean) {
    this.#isGiven = isGiven
  }

  async *hidden(text: AsyncIterable<string>, where: () => string): AsyncGenerator<string> {
    let rest = ''
    for await (const part of text) {
      const joined = rest + part
      if (joined.includes(HIDDEN)) {
        throw new TerminalError(
          `${where()} or behind it: the character U+FDD0, which stands in no text, so nothing is imported; remove it.`,
        )
      }
      const [backslashes = ''] = /\\*$/.exec(joined) ?? []
      rest = backslashes.length % 2 === 1 ? '\\' : ''
      yield joined
        .slice(0, joined.length - rest.length)
        .replace(/\\([\s\S])/g, (_, character: string) => HIDDEN + codeOf(character))
    }
    if (rest !== '') yield rest
  }

  /** Whether an unquoted field is `\N`. */
  isNull(field: string): boolean {
    return field === NULL_FIELD
  }

  /** The field with its escapes read. */
  shown(field: string, where: () => string): string {
    if (!field.includes(HIDDEN)) return field
    return field.replace(/\ufdd0([0-9a-f]{4})/g, (_, code: string) => {
      const character = String.fromCharCode(Number.parseInt(code, 16))
      if (!this.#isGiven && !/["'\\]/.test(character)) {
        throw new TerminalError(
          `${where()}: \\${character} may be an escape or two characters, so nothing is imported; say --escape backslash where it is an escape, or --escape quote where a backslash is itself.`,
        )
      }
      return MEANINGS[character] ?? character
    })
  }
}

function codeOf(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(4, '0')
}
