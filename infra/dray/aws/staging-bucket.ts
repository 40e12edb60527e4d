import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { roots } from 'dray/internal/staging/keys.ts'
import { acknowledge } from './acknowledge.ts'

export interface StagingBucketProps {
  readonly key: IKey
  /** When batches, plans and findings expire. Quarantined rows do not. */
  readonly keepFor: Duration
}

/**
 * Batches between steps and quarantined rows: encrypted and over TLS only. Batches are gone after a while; a
 * quarantined row stays until somebody has closed and pruned it, whatever its age.
 */
export class StagingBucket extends Construct {
  readonly bucket: Bucket

  constructor(scope: Construct, id: string, props: StagingBucketProps) {
    super(scope, id)
    this.bucket = new Bucket(this, 'Bucket', {
      encryption: BucketEncryption.KMS,
      encryptionKey: props.key,
      bucketKeyEnabled: true,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      lifecycleRules: [
        ...[roots.runs, roots.findings].map((root) => ({ prefix: `${root}/`, expiration: props.keepFor })),
        { abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    })
    acknowledge(
      this.bucket,
      'AwsSolutions-S1',
      'CloudTrail records who touches rows that are kept; access logs of batches would cost more than they tell.',
    )
  }
}
