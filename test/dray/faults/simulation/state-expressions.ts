/** An item as the document client gives it. */
export type Item = Record<string, unknown>

interface Names {
  readonly ExpressionAttributeNames?: Record<string, string> | undefined
  readonly ExpressionAttributeValues?: Record<string, unknown> | undefined
}

type Value = (item: Item, given: Names) => unknown
type Condition = (item: Item, given: Names) => boolean

const TOKENS = /\(|\)|,|\+|<>|<=|>=|=|<|>|[\w:#]+/g
const COMPARE: Record<string, (one: unknown, other: unknown) => boolean> = {
  '=': (one, other) => one !== undefined && one === other,
  '<>': (one, other) => one !== other,
  '<=': (one, other) => one !== undefined && (one as number) <= (other as number),
  '>=': (one, other) => one !== undefined && (one as number) >= (other as number),
  '<': (one, other) => one !== undefined && (one as number) < (other as number),
  '>': (one, other) => one !== undefined && (one as number) > (other as number),
}

/** Reads the part of DynamoDB's expressions that the state store uses; throws at anything else. */
class Parser {
  readonly #tokens: string[]
  readonly #text: string

  constructor(text: string) {
    this.#text = text
    this.#tokens = text.match(TOKENS) ?? []
    if (this.#tokens.join('').length !== text.replace(/\s/g, '').length) this.#refuse()
  }

  condition(): Condition {
    const parsed = this.#any()
    if (this.#tokens.length > 0) this.#refuse()
    return parsed
  }

  /** `SET a = x, b = y REMOVE c, d`. */
  update(): (item: Item, given: Names) => Item {
    const sets: [name: string, value: Value][] = []
    const removes: string[] = []
    let clause = ''
    while (this.#tokens.length > 0) {
      if (/^(SET|REMOVE)$/.test(this.#tokens[0] ?? '')) clause = this.#next()
      const name = this.#next()
      if (clause === 'REMOVE') removes.push(name)
      else {
        this.#take('=')
        sets.push([name, this.#sum()])
      }
      if (this.#tokens[0] === ',') this.#next()
    }
    return (item, given) => {
      const changed = { ...item }
      for (const [name, value] of sets) changed[nameOf(name, given)] = value(item, given)
      for (const name of removes) delete changed[nameOf(name, given)]
      return changed
    }
  }

  #any(): Condition {
    const alternatives = [this.#all()]
    while (this.#tokens[0] === 'OR') {
      this.#next()
      alternatives.push(this.#all())
    }
    return (item, given) => alternatives.some((each) => each(item, given))
  }

  #all(): Condition {
    const parts = [this.#one()]
    while (this.#tokens[0] === 'AND') {
      this.#next()
      parts.push(this.#one())
    }
    return (item, given) => parts.every((each) => each(item, given))
  }

  #one(): Condition {
    const token = this.#next()
    if (token === '(') {
      const inner = this.#any()
      this.#take(')')
      return inner
    }
    if (token === 'attribute_not_exists' || token === 'attribute_exists') {
      this.#take('(')
      const name = this.#next()
      this.#take(')')
      return (item, given) => (item[nameOf(name, given)] === undefined) === (token === 'attribute_not_exists')
    }
    const left = this.#operand(token)
    const compare = COMPARE[this.#next()] ?? this.#refuse()
    const right = this.#operand(this.#next())
    return (item, given) => compare(left(item, given), right(item, given))
  }

  #sum(): Value {
    const left = this.#operand(this.#next())
    if (this.#tokens[0] !== '+') return left
    this.#next()
    const right = this.#operand(this.#next())
    return (item, given) => (left(item, given) as number) + (right(item, given) as number)
  }

  #operand(token: string): Value {
    if (token === 'if_not_exists') {
      this.#take('(')
      const name = this.#next()
      this.#take(',')
      const other = this.#operand(this.#next())
      this.#take(')')
      return (item, given) => item[nameOf(name, given)] ?? other(item, given)
    }
    if (token.startsWith(':')) return (_item, given) => given.ExpressionAttributeValues?.[token]
    if (!/^#?\w+$/.test(token)) this.#refuse()
    return (item, given) => item[nameOf(token, given)]
  }

  #next(): string {
    return this.#tokens.shift() ?? this.#refuse()
  }

  #take(expected: string): void {
    if (this.#next() !== expected) this.#refuse()
  }

  #refuse(): never {
    throw new TypeError(`The simulated state table cannot read this expression; teach it: ${this.#text}`)
  }
}

function nameOf(name: string, given: Names): string {
  return name.startsWith('#') ? (given.ExpressionAttributeNames?.[name] ?? name) : name
}

const conditions = new Map<string, Condition>()
const updates = new Map<string, (item: Item, given: Names) => Item>()

export function holds(text: string | undefined, item: Item, given: Names): boolean {
  if (text === undefined) return true
  const parsed = conditions.get(text) ?? new Parser(text).condition()
  conditions.set(text, parsed)
  return parsed(item, given)
}

export function updated(text: string | undefined, item: Item, given: Names): Item {
  if (text === undefined) return item
  const parsed = updates.get(text) ?? new Parser(text).update()
  updates.set(text, parsed)
  return parsed(item, given)
}
