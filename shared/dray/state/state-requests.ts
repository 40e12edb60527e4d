import { checkFormat, formats } from '#dray/messages/formats.ts'
import type { Item } from './attributes.ts'
import { formatKnown } from './conditions.ts'
import type { ItemCondition, ItemQuery, ItemTable, ItemUpdate, WriteOutcome } from './item-table.ts'
import type { ItemKey } from './keys.ts'

/**
 * The requests that the store makes of its table. Every item says its format: one that a newer version of Dray has
 * written is neither read nor written over.
 */
export class StateRequests {
  readonly #table: ItemTable

  constructor(table: ItemTable) {
    this.#table = table
  }

  async get(key: ItemKey): Promise<Item | null> {
    const item = await this.#table.get(key)
    return item === null ? null : this.#known(item)
  }

  async *query(input: ItemQuery): AsyncGenerator<Item> {
    for await (const item of this.#table.query(input)) yield this.#known(item)
  }

  /** The expression begins with SET. */
  update(key: ItemKey, update: ItemUpdate): Promise<WriteOutcome> {
    return this.#table.update(key, {
      ...inKnownFormat(update),
      UpdateExpression: update.UpdateExpression.replace(/^SET /, 'SET format_version = :format_version, '),
    })
  }

  put(item: Item, condition: ItemCondition): Promise<WriteOutcome> {
    return this.#table.put({ ...item, format_version: formats.stateItem }, inKnownFormat(condition))
  }

  #known(item: Item): Item {
    checkFormat(
      'stateItem',
      item.format_version,
      `The item ${item.pk} ${item.sk} of the state table ${this.#table.name}`,
    )
    return item
  }
}

/**
 * The same, as long as the item is of a format that this code knows. A condition with OR brings its parentheses:
 * DynamoDB refuses two pairs.
 */
function inKnownFormat<T extends ItemCondition>(write: T): T {
  const { ConditionExpression: condition } = write
  return {
    ...write,
    ConditionExpression: condition === undefined ? formatKnown : `${condition} AND ${formatKnown}`,
    ExpressionAttributeValues: { ...write.ExpressionAttributeValues, ':format_version': formats.stateItem },
  }
}
