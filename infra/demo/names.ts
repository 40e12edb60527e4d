import type { DemoCountry } from './country.ts'
import type { Random } from './random.ts'

/** What people type and systems add around and inside a text that stays the same text. */
const MESSES: readonly ((text: string) => string)[] = [
  (text) => `  ${text} `,
  (text) => text.replace(' ', '  '),
  (text) => text.replace(' ', '\u00a0'),
  (text) => `${text}\r\n`,
  (text) => text.replace(' ', '\t'),
  (text) => `\ufeff${text}`,
  (text) => text.replace(' ', ' \u200b'),
  (text) => `${text}\u0007`,
  (text) => text.normalize('NFD'),
]

/** The same text with white space, control characters or decomposed letters that cleaning has to undo. */
export function messUp(random: Random, text: string): string {
  return random.pick(MESSES)(text)
}

export function fullName(random: Random, country: DemoCountry): string {
  const first = random.pick(country.firstNames.split(' ')).replaceAll('-', ' ')
  const last = random
    .pick(country.lastNames.split(' '))
    .replace(/^(van|de|der|Ó|Ní)-(der-)?/, (prefix) => prefix.replaceAll('-', ' '))
  const name = `${first} ${last}`
  const style = random.int(1, 20)
  if (style === 1) return name.toUpperCase()
  return style === 2 ? name.toLowerCase() : name
}
