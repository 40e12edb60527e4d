import { TerminalError } from '#dray/errors.ts'
import type { Item } from '../attributes.ts'
import type { Placeholders } from '../item-table.ts'
import { stateTable } from '../table-definition.ts'
import { type Of, reader, type Tokens, valueIn } from './tokens.ts'

type Attribute = (given: Placeholders) => string

/** Reads `SET a = x, b = y + z REMOVE c, d`. All of it is judged by the item as it was. */
export const readUpdate = reader<Of<Item>>((tokens) => {
  const sets: (readonly [Attribute, Of<unknown>])[] = []
  const removes: Attribute[] = []
  if (tokens.takes('SET')) {
    do {
      const attribute = tokens.attribute()
      tokens.expect('=')
      sets.push([attribute, sum(tokens)])
    } while (tokens.takes(','))
  }
  if (tokens.takes('REMOVE')) {
    do removes.push(tokens.attribute())
    while (tokens.takes(','))
  }
  return (item, given) => {
    const changed: Item = { ...item }
    const touched = new Set<string>([stateTable.partitionKey, stateTable.sortKey])
    const touch = (attribute: Attribute) => {
      const name = attribute(given)
      if (touched.has(name)) throw refused(`${name} is a key, or changed twice`)
      touched.add(name)
      return name
    }
    for (const [attribute, value] of sets) changed[touch(attribute)] = present(value(item, given))
    for (const attribute of removes) delete changed[touch(attribute)]
    return changed
  }
})

function sum(tokens: Tokens): Of<unknown> {
  const left = part(tokens)
  if (!tokens.takes('+')) return left
  const right = part(tokens)
  return (item, given) => {
    const [one, other] = [present(left(item, given)), present(right(item, given))]
    const total = Number(one) + Number(other)
    // Decimal fractions would not stay what they are.
    if (Number.isSafeInteger(one) && Number.isSafeInteger(other) && Number.isSafeInteger(total)) return total
    throw refused('what is added, or its sum, is no whole number that is exact')
  }
}

function part(tokens: Tokens): Of<unknown> {
  if (!tokens.takes('if_not_exists')) return tokens.operand()
  tokens.expect('(')
  const attribute = tokens.attribute()
  tokens.expect(',')
  const otherwise = tokens.operand()
  tokens.expect(')')
  return (item, given) => {
    const value = valueIn(item, attribute(given))
    return value === undefined ? otherwise(item, given) : value
  }
}

function present(value: unknown): unknown {
  if (value === undefined) throw refused('an attribute that it reads is not in the item')
  return value
}

function refused(why: string): TerminalError {
  return new TerminalError(`The local state refused an update, since ${why}. No state was changed by it.`)
}
