import type { Placeholders } from '../item-table.ts'
import { stateTable } from '../table-definition.ts'
import { reader } from './tokens.ts'

/** What a query reads: one partition, whole or where the sort key begins with a prefix. */
export interface KeyCondition {
  readonly partitionKey: (given: Placeholders) => string
  readonly partition: (given: Placeholders) => unknown
  readonly sortKey: ((given: Placeholders) => string) | null
  readonly prefix: (given: Placeholders) => unknown
}

/** Reads `pk = :pk` and `pk = :pk AND begins_with(sk, :prefix)`. */
export const readKeyCondition = reader<KeyCondition>((tokens) => {
  const partitionKey = tokens.attribute()
  tokens.expect('=')
  const partition = tokens.operand()
  const whole = { partitionKey, partition: (given: Placeholders) => partition({}, given) }
  if (!tokens.takes('AND')) return { ...whole, sortKey: null, prefix: () => '' }
  tokens.expect('begins_with')
  tokens.expect('(')
  const sortKey = tokens.attribute()
  tokens.expect(',')
  const prefix = tokens.operand()
  tokens.expect(')')
  return { ...whole, sortKey, prefix: (given) => prefix({}, given) }
})

/** The keys of the table or of an index; null where there is none of that name. */
export function keysOf(index: string | undefined): { readonly partitionKey: string; readonly sortKey: string } | null {
  if (index === undefined) return stateTable
  return [stateTable.byWorkflow, stateTable.byKind].find(({ name }) => name === index) ?? null
}
