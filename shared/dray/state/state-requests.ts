import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  type PutCommandInput,
  QueryCommand,
  type QueryCommandInput,
  UpdateCommand,
  type UpdateCommandInput,
} from '@aws-sdk/lib-dynamodb'
import { TerminalError, TransientError } from '#dray/errors.ts'
import { checkFormat, formats } from '#dray/messages/formats.ts'
import type { Item } from './attributes.ts'
import { formatKnown } from './conditions.ts'
import type { ItemKey } from './keys.ts'

/**
 * What became of a conditional write. Both `refused` and `unknown` may hide a write of ours: the SDK repeats a request
 * whose reply was lost, and the second one then fails its condition. The caller settles it by reading the item again.
 */
export type WriteOutcome =
  | { readonly kind: 'applied'; readonly item: Item }
  | { readonly kind: 'refused' }
  | { readonly kind: 'unknown'; readonly error: TransientError }

type Update = Pick<UpdateCommandInput, 'UpdateExpression' | 'ConditionExpression' | 'ExpressionAttributeNames'> & {
  readonly ExpressionAttributeValues?: Item
}
type Condition = Pick<PutCommandInput, 'ConditionExpression' | 'ExpressionAttributeNames'> & {
  readonly ExpressionAttributeValues?: Item
}

/** Errors of 4xx that a retry cures, and errors of ours that it does not. */
const THROTTLED = new Set(['ProvisionedThroughputExceededException', 'ThrottlingException', 'RequestLimitExceeded'])
const NEVER_SENT = new Set(['CredentialsProviderError', 'TypeError', 'RangeError'])

/** What the document client says of a number that JavaScript has not. */
const UNREADABLE = /Set options\.wrapNumbers/

interface SdkError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number }
}

/** Whatever is not surely a refusal is taken for a lost reply. */
function isRefusal(error: SdkError): boolean {
  if (NEVER_SENT.has(error.name) || error.message === 'Region is missing') return true
  const status = error.$metadata?.httpStatusCode ?? 0
  return status >= 400 && status < 500 && status !== 429 && !THROTTLED.has(error.name)
}

/**
 * The requests that the store makes of its table, with failures told apart. Every item says its format: one that a
 * newer version of Dray has written is neither read nor written over.
 */
export class StateRequests {
  readonly #client: DynamoDBDocumentClient
  readonly #table: string

  constructor(client: DynamoDBDocumentClient, table: string) {
    this.#client = client
    this.#table = table
  }

  async get(key: ItemKey): Promise<Item | null> {
    const command = new GetCommand({ TableName: this.#table, Key: { ...key }, ConsistentRead: true })
    const { Item } = await this.#settle(() => this.#client.send(command))
    return Item === undefined ? null : this.#known(Item)
  }

  /** The items of a query, page after page. */
  async *query(input: Omit<QueryCommandInput, 'TableName'>): AsyncGenerator<Item> {
    let start: Item | undefined
    do {
      const command = new QueryCommand({ ...input, TableName: this.#table, ExclusiveStartKey: start })
      const page = await this.#settle(() => this.#client.send(command))
      for (const item of page.Items ?? []) yield this.#known(item)
      start = page.LastEvaluatedKey
    } while (start !== undefined)
  }

  /** The expression begins with SET. */
  async update(key: ItemKey, update: Update): Promise<WriteOutcome> {
    const command = new UpdateCommand({
      ...inKnownFormat(update),
      UpdateExpression: update.UpdateExpression?.replace(/^SET /, 'SET format_version = :format_version, '),
      TableName: this.#table,
      Key: { ...key },
      ReturnValues: 'ALL_NEW',
    })
    return this.#outcome(async () => (await this.#client.send(command)).Attributes ?? {})
  }

  async put(item: Item, condition: Condition): Promise<WriteOutcome> {
    const command = new PutCommand({
      ...inKnownFormat(condition),
      TableName: this.#table,
      Item: { ...item, format_version: formats.stateItem },
    })
    return this.#outcome(async () => {
      await this.#client.send(command)
      return item
    })
  }

  #known(item: Item): Item {
    checkFormat('stateItem', item.format_version, `The item ${item.pk} ${item.sk} of the state table ${this.#table}`)
    return item
  }

  async #outcome(send: () => Promise<Item>): Promise<WriteOutcome> {
    try {
      return { kind: 'applied', item: await this.#settle(send) }
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return { kind: 'refused' }
      if (error instanceof TransientError) return { kind: 'unknown', error }
      throw error
    }
  }

  async #settle<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await send()
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) throw error
      const { name, message } = error as SdkError
      if (UNREADABLE.test(message)) {
        throw new TerminalError(
          `An item of the state table ${this.#table} holds a number that Dray has not written (${message}), so nothing was done by it. Put the attribute right there, or bring the item back from a backup of the table`,
          { cause: error },
        )
      }
      if (isRefusal(error as SdkError)) {
        throw new TerminalError(
          `The state table ${this.#table} refused a request: ${name}: ${message}. No state was changed by it. ` +
            'Check the name of the table, the region and the permissions of the role.',
          { cause: error },
        )
      }
      throw new TransientError(
        `The state table ${this.#table} could not be reached: ${message || name}. A retry settles what was done.`,
        { cause: error },
      )
    }
  }
}

/**
 * The same, as long as the item is of a format that this code knows. A condition with OR brings its parentheses:
 * DynamoDB refuses two pairs.
 */
function inKnownFormat<T extends Condition>(write: T): T {
  const { ConditionExpression: condition } = write
  return {
    ...write,
    ConditionExpression: condition === undefined ? formatKnown : `${condition} AND ${formatKnown}`,
    ExpressionAttributeValues: { ...write.ExpressionAttributeValues, ':format_version': formats.stateItem },
  }
}
