import { isDeepStrictEqual } from 'node:util'
import { compareTexts } from './compare-texts.ts'
import { type Of, reader, type Tokens, valueIn } from './tokens.ts'

/** Reads a condition or a filter. A missing attribute is not equal to anything, and greater or less than nothing. */
export const readCondition = reader<Of<boolean>>(any)

function any(tokens: Tokens): Of<boolean> {
  const alternatives = [all(tokens)]
  while (tokens.takes('OR')) alternatives.push(all(tokens))
  return (item, given) => alternatives.some((holds) => holds(item, given))
}

function all(tokens: Tokens): Of<boolean> {
  const parts = [one(tokens)]
  while (tokens.takes('AND')) parts.push(one(tokens))
  return (item, given) => parts.every((holds) => holds(item, given))
}

function one(tokens: Tokens): Of<boolean> {
  if (tokens.takes('(')) {
    const inner = any(tokens)
    tokens.expect(')')
    return inner
  }
  if (tokens.takes('attribute_not_exists')) {
    tokens.expect('(')
    const attribute = tokens.attribute()
    tokens.expect(')')
    return (item, given) => valueIn(item, attribute(given)) === undefined
  }
  const left = tokens.operand()
  const compare = comparisons[tokens.take()] ?? tokens.refuse()
  const right = tokens.operand()
  return (item, given) => compare(left(item, given), right(item, given))
}

const comparisons: Readonly<Record<string, (one: unknown, other: unknown) => boolean>> = {
  '=': isSame,
  '<>': (one, other) => !isSame(one, other),
  '<=': isAtMost,
}

function isSame(one: unknown, other: unknown): boolean {
  return one !== undefined && (one === other || isDeepStrictEqual(one, other))
}

/** Values of two kinds are in no order. */
function isAtMost(one: unknown, other: unknown): boolean {
  if (typeof one === 'number' && typeof other === 'number') return one <= other
  if (typeof one === 'string' && typeof other === 'string') return compareTexts(one, other) <= 0
  return false
}
