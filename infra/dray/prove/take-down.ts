import { DeleteTableCommand, DynamoDBClient, UpdateTableCommand, waitUntilTableExists } from '@aws-sdk/client-dynamodb'
import { KMSClient, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms'
import {
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListObjectVersionsCommand,
  type ObjectIdentifier,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import type { KeptResource } from '#dray-infra/remote/kept-resources.ts'

/** The least that KMS lets a key wait, in days. */
const KEY_DAYS = 7

/** The service does not know it, or a key waits already. */
const GONE = new Set(['ResourceNotFoundException', 'NoSuchBucket', 'NotFoundException', 'KMSInvalidStateException'])

/** Deletes what outlives a stack: a proof has nothing that anybody would want back. What is gone is gone. */
export async function deleteKept(resource: KeptResource): Promise<void> {
  await deleteOne(resource).catch((error: Error) => {
    if (!GONE.has(error.name)) throw error
  })
}

async function deleteOne({ type, id }: KeptResource): Promise<void> {
  if (type === 'the table') return deleteTable(id)
  if (type === 'the bucket') return deleteBucket(id)
  const client = new KMSClient()
  await client.send(new ScheduleKeyDeletionCommand({ KeyId: id, PendingWindowInDays: KEY_DAYS }))
  client.destroy()
}

async function deleteTable(TableName: string): Promise<void> {
  const client = new DynamoDBClient()
  await client.send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled: false }))
  await waitUntilTableExists({ client, maxWaitTime: 300 }, { TableName })
  await client.send(new DeleteTableCommand({ TableName }))
  client.destroy()
}

async function deleteBucket(Bucket: string): Promise<void> {
  const { AWS_ENDPOINT_URL } = process.env
  // An emulator has no names of buckets in its host.
  const config: S3ClientConfig = AWS_ENDPOINT_URL === undefined ? {} : { forcePathStyle: true }
  const client = new S3Client(config)
  for (let Objects = await versionsIn(client, Bucket); Objects.length > 0; Objects = await versionsIn(client, Bucket)) {
    await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
  }
  await client.send(new DeleteBucketCommand({ Bucket }))
  client.destroy()
}

/** A page of them. */
async function versionsIn(client: S3Client, Bucket: string): Promise<ObjectIdentifier[]> {
  const { Versions = [], DeleteMarkers = [] } = await client.send(new ListObjectVersionsCommand({ Bucket }))
  return [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }))
}
