import { TerminalError } from '#dray/errors.ts'
import type { Item } from '../attributes.ts'
import { stateTable } from '../table-definition.ts'

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items */
const MOST_BYTES = 400 * 1024
const [LEAST_NUMBER, GREATEST_NUMBER] = [1e-130, 1e126]

const { partitionKey, sortKey, byWorkflow, byKind } = stateTable
const keys = [partitionKey, sortKey]
const indexKeys: ReadonlySet<string> = new Set(
  [byWorkflow, byKind].flatMap((index) => [index.partitionKey, index.sortKey]),
)

/** Throws `Terminal` for an item that DynamoDB would not take: what works here has to work there. */
export function checkItem(item: Item): void {
  for (const name of [...keys, ...indexKeys]) {
    const value = Object.hasOwn(item, name) ? item[name] : undefined
    if (value === undefined && indexKeys.has(name)) continue
    if (typeof value !== 'string' || value === '') throw refused(item, `its key ${name} is no text`)
  }
  if (bytesOfMap(item, item) > MOST_BYTES) throw refused(item, `it is larger than ${MOST_BYTES / 1024} KB`)
}

/** As DynamoDB counts them, about. */
function bytesOfMap(map: object, item: Item): number {
  let bytes = 0
  for (const [name, value] of Object.entries(map)) {
    if (name === '' || name === '__proto__') throw refused(item, 'an attribute has no name')
    bytes += Buffer.byteLength(name) + bytesOf(value, item)
  }
  return bytes
}

function bytesOf(value: unknown, item: Item): number {
  if (value === null || typeof value === 'boolean') return 1
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (typeof value === 'number') return bytesOfNumber(value, item)
  if (Array.isArray(value)) return value.reduce((bytes: number, one) => bytes + 1 + bytesOf(one, item), 3)
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return 3 + bytesOfMap(value, item) + Object.keys(value).length
  }
  throw refused(item, `it holds a value of a kind that the state does not know (${typeof value})`)
}

function bytesOfNumber(value: number, item: Item): number {
  const size = Math.abs(value)
  const isWhole = Number.isInteger(value)
  const isExact = Number.isFinite(value) && (isWhole ? Number.isSafeInteger(value) : size < GREATEST_NUMBER)
  if (!isExact || (size !== 0 && size < LEAST_NUMBER))
    throw refused(item, `it holds a number that is not exact (${value})`)
  return Math.ceil(String(size).replace('.', '').length / 2) + 1
}

function refused(item: Item, why: string): TerminalError {
  const { pk, sk } = item
  return new TerminalError(
    `The local state did not take the item ${pk} ${sk}, since ${why}. No state was changed by it.`,
  )
}
