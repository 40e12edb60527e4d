import type { TransientError } from '#dray/errors.ts'
import type { Item } from './attributes.ts'
import type { ItemKey } from './keys.ts'

/**
 * What became of a conditional write. Both `refused` and `unknown` may hide a write of ours: a client repeats a request
 * whose reply was lost, and the second one then fails its condition. The caller settles it by reading the item again.
 */
export type WriteOutcome =
  | { readonly kind: 'applied'; readonly item: Item }
  | { readonly kind: 'refused' }
  | { readonly kind: 'unknown'; readonly error: TransientError }

/** What the placeholders of expressions stand for: `#name` for an attribute, `:name` for a value. */
export interface Placeholders {
  readonly ExpressionAttributeNames?: Record<string, string> | undefined
  readonly ExpressionAttributeValues?: Item | undefined
}

export interface ItemCondition extends Placeholders {
  readonly ConditionExpression?: string | undefined
}

export interface ItemUpdate extends ItemCondition {
  readonly UpdateExpression: string
}

export interface ItemQuery extends Placeholders {
  /** The table itself unless named. */
  readonly IndexName?: string | undefined
  readonly KeyConditionExpression: string
  readonly FilterExpression?: string | undefined
  readonly ConsistentRead?: boolean | undefined
  readonly ScanIndexForward?: boolean | undefined
  /** Items of a page, before the filter. */
  readonly Limit?: number | undefined
}

/**
 * A table of items, by the requests that the store makes of it, in the words of DynamoDB. Each throws `Terminal` for
 * what a retry does not cure, and a read throws `Transient` for what it does.
 */
export interface ItemTable {
  /** For messages. */
  readonly name: string
  /** As the last write left it. */
  get(key: ItemKey): Promise<Item | null>
  /** In the order of the sort key, page after page. */
  query(input: ItemQuery): AsyncIterable<Item>
  /** Makes the item where there is none. */
  update(key: ItemKey, update: ItemUpdate): Promise<WriteOutcome>
  put(item: Item, condition: ItemCondition): Promise<WriteOutcome>
  close(): void
}
