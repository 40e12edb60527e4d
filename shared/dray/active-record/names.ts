import { snakeCase } from './table-definition.ts'

/** The words of a name in any of the usual spellings: `InvoiceLine`, `INVOICE_LINE`, `invoice line`. */
export function wordsOf(name: string): string[] {
  const words = name
    .replace(/(\p{Ll}|\p{N})(\p{Lu})/gu, '$1 $2')
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean)
  return words.length === 0 ? ['unnamed'] : words.map((word) => word.toLowerCase())
}

export const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1)

export function camelCase(name: string): string {
  const [first = '', ...rest] = wordsOf(name)
  const camel = first + rest.map(capital).join('')
  return /^\p{N}/u.test(camel) ? `n${camel}` : camel
}

/** How tables and columns are spelt in a database. */
export type Habit = 'snake' | 'pascal' | 'camel' | 'upper'

const HABITS: Readonly<Record<Exclude<Habit, 'snake'>, RegExp>> = {
  pascal: /^[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)*$/,
  camel: /^[a-z]+[0-9]*(?:[A-Z][a-z0-9]*)+$/,
  upper: /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/,
}

/** The spelling of more than half of the names; `snake_case` where there is none. */
export function habitOf(names: readonly string[]): Habit {
  const most = (Object.keys(HABITS) as Exclude<Habit, 'snake'>[]).find(
    (habit) => names.filter((name) => HABITS[habit].test(name)).length * 2 > names.length,
  )
  return most ?? 'snake'
}

const SNAKE = /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/

/** A name as a database with this habit would spell it; one that is spelt so stays: `line_2`. */
export function inHabit(name: string, habit: Habit): string {
  if (habit === 'snake' ? SNAKE.test(name) : HABITS[habit].test(name)) return name
  const camel = camelCase(name)
  if (habit === 'camel') return camel
  if (habit === 'pascal') return capital(camel)
  const snake = snakeCase(camel)
  return habit === 'upper' ? snake.toUpperCase() : snake
}
