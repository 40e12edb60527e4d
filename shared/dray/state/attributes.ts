import { inspect } from 'node:util'
import { TerminalError } from '#dray/errors.ts'

/** An item as the document client gives it. */
export type Item = Record<string, unknown>

const MOST_CHARACTERS = 80
/** https://tc39.es/ecma262/#sec-time-values-and-time-range */
const LAST_MS = 8.64e15

/**
 * What an item of the state table holds, attribute by attribute; null for one that is missing or null. Each throws
 * `Terminal` for what is not of its kind: taken for nothing, it would be loaded again, or a lease would be free.
 */
export class Attributes {
  readonly #item: Item

  constructor(item: Item) {
    this.#item = item
  }

  text(name: string): string | null {
    return this.#of(name, 'a text', (value) => typeof value === 'string')
  }

  /** One that each item of its kind has. */
  needed(name: string): string {
    return this.text(name) ?? this.#refuse(name, 'a text')
  }

  oneOf<T extends string>(name: string, texts: readonly T[]): T {
    const kind = `one of ${texts.join(', ')}`
    return this.#of<T>(name, kind, (value) => texts.includes(value as T)) ?? this.#refuse(name, kind)
  }

  texts(name: string): readonly string[] | null {
    const isList = (value: unknown) => Array.isArray(value) && value.every((one) => typeof one === 'string')
    return this.#of(name, 'a list of texts', isList)
  }

  number(name: string): number | null {
    return this.#of(name, 'a number', (value) => typeof value === 'number')
  }

  /** Zero where it is missing. */
  count(name: string): number {
    return this.#of(name, 'a count', (value) => Number.isSafeInteger(value) && (value as number) >= 0) ?? 0
  }

  isTrue(name: string): boolean {
    return this.#of(name, 'true or false', (value) => typeof value === 'boolean') ?? false
  }

  /** In ms since 1970, of an ISO 8601 text. */
  time(name: string): number | null {
    const kind = 'a point in time, ISO 8601'
    const text = this.#of<string>(name, kind, (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value)))
    return text === null ? null : Date.parse(text)
  }

  /** In ms since 1970. */
  milliseconds(name: string): number | null {
    const isTime = (value: unknown) => typeof value === 'number' && Math.abs(value) <= LAST_MS
    return this.#of(name, 'a point in time, in milliseconds', isTime)
  }

  /** What a text says as JSON, where `isOne` holds of it. */
  json<T>(name: string, kind: string, isOne: (value: unknown) => value is T): T | null {
    const text = this.text(name)
    if (text === null) return null
    const value = parsed(text)
    return isOne(value) ? value : this.#refuse(name, kind)
  }

  #of<T>(name: string, kind: string, isOne: (value: unknown) => boolean): T | null {
    const value = this.#item[name]
    if (value === undefined || value === null) return null
    return isOne(value) ? (value as T) : this.#refuse(name, kind)
  }

  #refuse(name: string, kind: string): never {
    const { pk, sk, [name]: value } = this.#item
    const found = inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY }).slice(0, MOST_CHARACTERS)
    throw new TerminalError(
      `The item ${pk} ${sk} of the state table holds ${found} in ${name}, which is not ${kind}, so nothing was done by it: something else than Dray has written it. Put the attribute right there, or bring the item back from a backup of the table`,
    )
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
