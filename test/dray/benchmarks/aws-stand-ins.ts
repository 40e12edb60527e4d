import { createStateClient } from 'dray/internal/state/dynamodb-state-store.ts'
import { startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { startFauxqs } from 'fauxqs'
import { createStateTable } from '#test/services/create-state-table.ts'

/* S3 and DynamoDB in a process apart, so that what they compute holds up nobody's event loop. Tells its parent where. */

const [s3, dynamo] = [await startFauxqs({ port: 0, host: '127.0.0.1', logger: false }), await startDynamoDb()] as const
s3.createBucket('staging')
const client = createStateClient({ endpoint: dynamo.endpoint })
await createStateTable(client, 'dray')
client.destroy()
process.send?.({ s3: `http://127.0.0.1:${s3.port}`, dynamo: dynamo.endpoint })
process.once('disconnect', () => process.exit())
