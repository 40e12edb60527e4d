import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { type IRole, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { Bucket } from 'aws-cdk-lib/aws-s3'
import { pipelineKey, runKey, slotKey } from 'dray/internal/state/keys.ts'
import { acknowledge, nameInFindings } from './acknowledge.ts'
import type { DatabaseAccess } from './database-access.ts'
import type { HandlerAccess } from './handler-access.ts'
import { withoutLastRun } from './workflow-triggers.ts'

export interface Resources {
  readonly bucket: Bucket
  readonly key: IKey
  readonly table: TableV2
  readonly databases: DatabaseAccess
}

/** Lets the role of a handler do what it needs; the actions are written out, since the CDK's grants are wider. */
export function permit(role: IRole, access: HandlerAccess, resources: Resources): void {
  resources.databases.permit(role, access.databases)
  for (const pattern of new Set([...access.staging.read, ...access.staging.write])) {
    const objects = nameInFindings(resources.bucket, resources.bucket.arnForObjects(pattern))
    acknowledge(role, `AwsSolutions-IAM5[Resource::${objects}]`, 'What a stage stages, of all pipelines and runs.')
  }
  for (const statement of [...stagingStatements(access, resources), ...stateStatements(access, resources)]) {
    role.addToPrincipalPolicy(statement)
  }
}

function stagingStatements({ staging }: HandlerAccess, { bucket, key }: Resources): PolicyStatement[] {
  const statements: PolicyStatement[] = []
  const objects = (patterns: readonly string[]) => patterns.map((pattern) => bucket.arnForObjects(pattern))
  const onKey = (actions: string[]) => new PolicyStatement({ actions, resources: [key.keyArn] })
  if (staging.read.length > 0) {
    statements.push(
      new PolicyStatement({ actions: ['s3:GetObject'], resources: objects(staging.read) }),
      // Without it a missing object is reported as a forbidden one.
      new PolicyStatement({
        actions: ['s3:ListBucket'],
        resources: [bucket.bucketArn],
        conditions: { StringLike: { 's3:prefix': [...staging.read] } },
      }),
      onKey(['kms:Decrypt']),
    )
  }
  if (staging.write.length > 0) {
    const actions = ['s3:PutObject', 's3:AbortMultipartUpload']
    statements.push(new PolicyStatement({ actions, resources: objects(staging.write) }))
    // The parts of a multipart upload are decrypted when it is completed.
    statements.push(onKey(['kms:GenerateDataKey', 'kms:Decrypt']))
  }
  return statements
}

function stateStatements({ state }: HandlerAccess, { table }: Resources): PolicyStatement[] {
  if (state === 'none') return []
  const runs = runKey('*').pk
  const onItems = (actions: string[], keys: readonly string[]) =>
    new PolicyStatement({
      actions: actions.map((action) => `dynamodb:${action}`),
      resources: [table.tableArn],
      conditions: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [...keys] } },
    })
  // What is there is asked for where the reply to a write was lost.
  if (state === 'partitions') return [onItems(['GetItem', 'UpdateItem'], [runs])]
  if (state === 'steps') return [onItems(['GetItem', 'PutItem', 'Query'], [runs])]
  const read = new PolicyStatement({
    actions: ['dynamodb:GetItem', 'dynamodb:Query'],
    resources: [table.tableArn],
  })
  if (state === 'outcomes') return [read, onItems(['PutItem'], [runs])]
  // An item that is put replaces what was there: that of a pipeline is only updated, so that nothing of it is erased.
  const pipelines = pipelineKey('*').pk
  if (state === 'all') return [read, onItems(['UpdateItem'], [pipelines]), onItems(['PutItem'], [runs])]
  if (state === 'replicas') {
    return [read, onItems(['UpdateItem'], [pipelines]), onItems(['PutItem'], [runs]), withoutLastRun(table)]
  }
  const updates = onItems(['UpdateItem'], [runs, pipelines])
  return [read, updates, onItems(['PutItem'], [runs, slotKey('*').pk]), withoutLastRun(table)]
}
