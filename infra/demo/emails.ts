import type { DemoCountry } from './country.ts'
import type { Random } from './random.ts'

const PROVIDERS = ['gmail.com', 'yahoo.com', 'hotmail.com', 'outlook.com', 'proton.me', 'icloud.com']

/** Ways in which a good address was spoilt; none of them is valid. */
const SPOILT: readonly ((email: string) => string)[] = [
  (email) => email.replace('@', ''),
  (email) => email.replace('@', '@@'),
  (email) => email.replace('@', ' at '),
  (email) => email.replace(/@.*$/, '@localhost'),
  (email) => `${email},`,
  (email) => email.replace('@', '..@'),
  (email) => email.replace('.', '. '),
  (email) => `${email}; second.${email}`,
  () => 'n/a',
  () => 'none@',
]

export interface DemoEmail {
  readonly raw: string | null
  /** What cleaning has to make of it. */
  readonly clean: string | null
  readonly invalid: boolean
}

const letters = (text: string): string =>
  text
    .normalize('NFD')
    .replaceAll(/ł/gi, 'l')
    .replaceAll(/[øö]/gi, 'o')
    .replaceAll('ß', 'ss')
    .replaceAll(/[^A-Za-z ]/g, '')
    .toLowerCase()

/** An e-mail address made from the name: 2 % are spoilt, 4 % missing, some in capitals or within white space. */
export function emailOf(random: Random, name: string, country: DemoCountry, id: number): DemoEmail {
  const words = letters(name).split(' ')
  const host = random.once(3)
    ? `example.${country.code === 'US' ? 'com' : country.code.toLowerCase().replace('gb', 'co.uk')}`
    : random.pick(PROVIDERS)
  const clean = `${words[0]}.${words.at(-1)}${random.once(2) ? id : ''}@${host}`
  const dice = random.int(1, 100)
  if (dice <= 2) return { raw: random.pick(SPOILT)(clean), clean: null, invalid: true }
  if (dice <= 6) return { raw: random.pick([null, '', '  ']), clean: null, invalid: false }
  if (dice <= 12) return { raw: clean.toUpperCase(), clean, invalid: false }
  if (dice <= 16) return { raw: ` ${clean}\u00a0`, clean, invalid: false }
  return { raw: dice <= 20 ? clean.replace(/^./, (letter) => letter.toUpperCase()) : clean, clean, invalid: false }
}
