import { TerminalError } from '#dray/errors.ts'
import type { Item } from '../attributes.ts'
import type { Placeholders } from '../item-table.ts'

const TOKEN = /\s*([(),+=]|<>|<=|[:#]?\w+)/y
const WORD = /^\w+$/

/** What an operand, a function or a condition is of an item. */
export type Of<T> = (item: Item, given: Placeholders) => T

/** The tokens of one expression, and the placeholders that it uses. Whatever is not known is refused. */
export class Tokens {
  readonly placeholders = new Set<string>()
  readonly #text: string
  readonly #tokens: readonly string[]
  #place = 0

  constructor(text: string) {
    this.#text = text
    const tokens: string[] = []
    TOKEN.lastIndex = 0
    const trimmed = text.trimEnd()
    for (let at = 0; at < trimmed.length; at = TOKEN.lastIndex) {
      const [, token] = TOKEN.exec(trimmed) ?? this.refuse()
      tokens.push(token as string)
    }
    this.#tokens = tokens
  }

  /** The next one, which stays; empty at the end. */
  get next(): string {
    return this.#tokens[this.#place] ?? ''
  }

  take(): string {
    const token = this.#tokens[this.#place++]
    return token ?? this.refuse()
  }

  /** Takes the next one if it is this one; says whether it was. */
  takes(token: string): boolean {
    if (this.next !== token) return false
    this.#place++
    return true
  }

  expect(token: string): void {
    if (!this.takes(token)) this.refuse()
  }

  /** The name of an attribute, or `#name` for it. */
  attribute(): (given: Placeholders) => string {
    const token = this.take()
    if (WORD.test(token)) return () => token
    if (!token.startsWith('#')) this.refuse()
    this.placeholders.add(token)
    return (given) => nameOf(token, given)
  }

  /** An attribute's value, undefined where it is missing, or that of a placeholder. */
  operand(): Of<unknown> {
    if (!this.next.startsWith(':')) {
      const attribute = this.attribute()
      return (item, given) => valueIn(item, attribute(given))
    }
    const token = this.take()
    this.placeholders.add(token)
    return (_item, given) => given.ExpressionAttributeValues?.[token]
  }

  end(): void {
    if (this.next !== '') this.refuse()
  }

  refuse(): never {
    throw new TerminalError(
      `The local state does not know this expression, so nothing was read or written by it: ${this.#text}`,
    )
  }
}

function nameOf(token: string, given: Placeholders): string {
  return given.ExpressionAttributeNames?.[token] ?? token
}

export function valueIn(item: Item, name: string): unknown {
  return Object.hasOwn(item, name) ? item[name] : undefined
}

/** An expression that was read, with its placeholders. */
export interface Read<T> {
  readonly placeholders: ReadonlySet<string>
  readonly meaning: T
}

/** Reads each text once: the store makes few. */
export function reader<T>(read: (tokens: Tokens) => T): (text: string) => Read<T> {
  const known = new Map<string, Read<T>>()
  return (text) => {
    const found = known.get(text)
    if (found !== undefined) return found
    const tokens = new Tokens(text)
    const meaning = read(tokens)
    tokens.end()
    const made = { placeholders: tokens.placeholders, meaning }
    known.set(text, made)
    return made
  }
}

/** Throws `Terminal` unless each placeholder of a request is given, and each that is given is used. */
export function checkPlaceholders(expressions: readonly (Read<unknown> | null)[], given: Placeholders): void {
  const used = new Set(expressions.flatMap((expression) => [...(expression?.placeholders ?? [])]))
  const { ExpressionAttributeNames: names = {}, ExpressionAttributeValues: values = {} } = given
  const wrong = [...used].filter((name) => !(name in (name.startsWith('#') ? names : values)))
  wrong.push(...[...Object.keys(names), ...Object.keys(values)].filter((name) => !used.has(name)))
  if (wrong.length === 0) return
  throw new TerminalError(
    `A request of the local state has ${wrong.join(', ')} in its expressions or beside them, and not in both, so nothing was read or written by it.`,
  )
}
