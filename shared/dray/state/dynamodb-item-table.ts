import { ConditionalCheckFailedException, type DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, GetCommand, PutCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { TerminalError, TransientError } from '#dray/errors.ts'
import type { Item } from './attributes.ts'
import type { ItemCondition, ItemQuery, ItemTable, ItemUpdate, WriteOutcome } from './item-table.ts'
import type { ItemKey } from './keys.ts'

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

/** A table of DynamoDB, with failures told apart. */
export class DynamoDbItemTable implements ItemTable {
  readonly name: string
  readonly #client: DynamoDBDocumentClient
  readonly close: () => void

  constructor(client: DynamoDBDocumentClient, name: string, close: () => void = () => {}) {
    this.#client = client
    this.name = name
    this.close = close
  }

  /** Closing the table closes the client. */
  static of(client: DynamoDBClient, name: string): DynamoDbItemTable {
    return new DynamoDbItemTable(DynamoDBDocumentClient.from(client), name, () => client.destroy())
  }

  async get(key: ItemKey): Promise<Item | null> {
    const command = new GetCommand({ TableName: this.name, Key: { ...key }, ConsistentRead: true })
    const { Item } = await this.#settle(() => this.#client.send(command))
    return Item ?? null
  }

  async *query(input: ItemQuery): AsyncGenerator<Item> {
    let start: Item | undefined
    do {
      const command = new QueryCommand({ ...input, TableName: this.name, ExclusiveStartKey: start })
      const page = await this.#settle(() => this.#client.send(command))
      yield* page.Items ?? []
      start = page.LastEvaluatedKey
    } while (start !== undefined)
  }

  async update(key: ItemKey, update: ItemUpdate): Promise<WriteOutcome> {
    const command = new UpdateCommand({
      ...update,
      TableName: this.name,
      Key: { ...key },
      ReturnValues: 'ALL_NEW',
    })
    return this.#outcome(async () => (await this.#client.send(command)).Attributes ?? {})
  }

  async put(item: Item, condition: ItemCondition): Promise<WriteOutcome> {
    const command = new PutCommand({ ...condition, TableName: this.name, Item: item })
    return this.#outcome(async () => {
      await this.#client.send(command)
      return item
    })
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
          `An item of the state table ${this.name} holds a number that Dray has not written (${message}), so nothing was done by it. Put the attribute right there, or bring the item back from a backup of the table`,
          { cause: error },
        )
      }
      if (isRefusal(error as SdkError)) {
        throw new TerminalError(
          `The state table ${this.name} refused a request: ${name}: ${message}. No state was changed by it. ` +
            'Check the name of the table, the region and the permissions of the role.',
          { cause: error },
        )
      }
      throw new TransientError(
        `The state table ${this.name} could not be reached: ${message || name}. A retry settles what was done.`,
        { cause: error },
      )
    }
  }
}
