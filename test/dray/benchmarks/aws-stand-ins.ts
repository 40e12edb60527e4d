import { createStateClient } from 'dray/internal/state/dynamodb-state-store.ts'
import { startDynamoDb } from 'dray-infra/internal/local/dynamodb.ts'
import { startFauxqs } from 'fauxqs'
import { createStateTable } from '#test/services/create-state-table.ts'

/* S3 and DynamoDB, in a process that tells its parent where they are: what they compute holds up nobody's loop. */

const [s3, dynamo] = [await startFauxqs({ port: 0, host: '127.0.0.1', logger: false }), await startDynamoDb()] as const
s3.createBucket('staging')
const client = createStateClient({ endpoint: dynamo.endpoint })
await createStateTable(client, 'dray')
client.destroy()
process.send?.({ s3: `http://127.0.0.1:${s3.port}`, dynamo: dynamo.endpoint })
process.once('disconnect', () => process.exit())
