import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { marshall, type NativeAttributeValue, unmarshall } from '@aws-sdk/util-dynamodb'
import type { Item } from 'dray/internal/state/attributes.ts'
import type { ItemQuery, ItemUpdate, Placeholders, WriteOutcome } from 'dray/internal/state/item-table.ts'
import type { ItemKey } from 'dray/internal/state/keys.ts'
import { SqliteItemTable } from 'dray/internal/state/local/sqlite-item-table.ts'
import { stateTable } from 'dray/internal/state/table-definition.ts'
import { guardServer, newToken } from '../guard-server.ts'

export interface StateServer {
  /** Its URL; the user in it is the id of the access key that a client has to have. */
  readonly endpoint: string
  stop(): Promise<void>
}

type Marshalled = Parameters<typeof unmarshall>[0]

/** A request as it comes, by the fields that the store's requests have. */
interface Request extends Omit<ItemQuery, 'ExpressionAttributeValues'> {
  readonly Key?: Marshalled
  readonly Item?: Marshalled
  readonly ConditionExpression?: string
  readonly UpdateExpression?: string
  readonly ExpressionAttributeValues?: Marshalled
  readonly ExclusiveStartKey?: Marshalled
}

const HOST = '127.0.0.1'
const VERSION = 'DynamoDB_20120810'
const FIELDS = new Set([
  ...['TableName', 'Key', 'Item', 'ConsistentRead', 'ReturnValues', 'ConditionExpression', 'UpdateExpression'],
  ...['ExpressionAttributeNames', 'ExpressionAttributeValues', 'IndexName', 'KeyConditionExpression'],
  ...['FilterExpression', 'ScanIndexForward', 'Limit', 'ExclusiveStartKey'],
])
const ALL_KEYS = [stateTable.partitionKey, stateTable.sortKey, ...indexKeys()]

function indexKeys(): readonly string[] {
  return [stateTable.byKind, stateTable.byWorkflow].flatMap(({ partitionKey, sortKey }) => [partitionKey, sortKey])
}

/** What is answered with an error of DynamoDB's. */
class Refusal extends Error {
  readonly type: string

  constructor(type: string, message: string) {
    super(message)
    this.type = type
  }
}

/**
 * Serves a file of items to functions as they are deployed, which speak to DynamoDB: of its operations those that the
 * store uses. Reachable from this machine only, and by those who know its endpoint.
 */
export async function startStateServer(file: string): Promise<StateServer> {
  const table = new SqliteItemTable(file)
  const server = createServer((request, response) => void answer(table, request, response))
  const token = newToken()
  guardServer(server, token)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, HOST, () => resolve())
  })
  return {
    endpoint: `http://${token}@${HOST}:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      table.close()
    },
  }
}

async function answer(table: SqliteItemTable, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.on('error', () => {})
  try {
    const body = await text(request)
    const [version, operation = ''] = String(request.headers['x-amz-target']).split('.')
    const answered = version === VERSION ? operations[operation] : undefined
    if (answered === undefined) throw new Refusal('UnknownOperationException', `${operation} is not known here.`)
    reply(response, 200, await answered(table, read(body)))
  } catch (error) {
    const { name, message, type } = error as Refusal
    // The SDK tries again what failed at the server.
    const isOurs = name === 'Transient'
    const told = type ?? (isOurs ? 'InternalServerError' : 'ValidationException')
    reply(response, isOurs ? 500 : 400, { __type: `com.amazonaws.dynamodb.v20120810#${told}`, message })
  }
}

function reply(response: ServerResponse, status: number, answer: unknown): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(answer))
}

function read(body: string): Request {
  const request = JSON.parse(body) as Request
  const unknown = Object.keys(request).filter((field) => !FIELDS.has(field))
  if (unknown.length > 0) throw new Refusal('ValidationException', `${unknown.join(', ')} is not known here.`)
  return request
}

const operations: Readonly<Record<string, (table: SqliteItemTable, request: Request) => Promise<unknown>>> = {
  async GetItem(table, { Key = {} }) {
    const item = await table.get(keyOf(Key))
    return item === null ? {} : { Item: marshalled(item) }
  },
  async PutItem(table, { Item = {}, ...request }) {
    written(await table.put(unmarshall(Item), withValues(request)))
    return {}
  },
  async UpdateItem(table, { Key = {}, ...request }) {
    const { UpdateExpression = '' } = request
    const update: ItemUpdate = { ...withValues(request), UpdateExpression }
    return { Attributes: marshalled(written(await table.update(keyOf(Key), update))) }
  },
  async Query(table, { ExclusiveStartKey: start, ...request }) {
    const { items, last } = table.page(withValues(request), start ? unmarshall(start) : null)
    const Items = items.map(marshalled)
    return { Items, Count: Items.length, ScannedCount: Items.length, ...(last && { LastEvaluatedKey: keysIn(last) }) }
  },
}

function withValues<T extends Request>(request: T): Omit<T, 'ExpressionAttributeValues'> & Placeholders {
  const { ExpressionAttributeValues: values, ...rest } = request
  return { ...rest, ...(values && { ExpressionAttributeValues: unmarshall(values) }) }
}

function keyOf(key: Marshalled): ItemKey {
  const { pk, sk } = unmarshall(key)
  return { pk, sk }
}

function written(outcome: WriteOutcome): Item {
  if (outcome.kind === 'applied') return outcome.item
  if (outcome.kind === 'unknown') throw outcome.error
  throw new Refusal('ConditionalCheckFailedException', 'The conditional request failed')
}

/** Where the next page begins, of the table or of either index. */
function keysIn(item: Item): Marshalled {
  return marshalled(Object.fromEntries(ALL_KEYS.filter((name) => name in item).map((name) => [name, item[name]])))
}

function marshalled(item: Item): Marshalled {
  return marshall(item as Record<string, NativeAttributeValue>)
}
