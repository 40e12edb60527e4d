import { type Duration, RemovalPolicy } from 'aws-cdk-lib'
import { ReadWriteType, Trail } from 'aws-cdk-lib/aws-cloudtrail'
import { BlockPublicAccess, Bucket, BucketEncryption, type IBucket, ObjectOwnership } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { roots } from 'dray/internal/staging/keys.ts'
import { acknowledge } from './acknowledge.ts'

export interface StagingAuditProps {
  readonly bucket: Bucket
  readonly keepFor: Duration
}

/**
 * Who has read, written or deleted a quarantined row or what was decided of one, call by call, as CloudTrail records
 * it, in a bucket that nothing of Dray may read or write. Batches are left out: each run reads each of them.
 */
export class StagingAudit extends Construct {
  constructor(scope: Construct, id: string, { bucket, keepFor }: StagingAuditProps) {
    super(scope, id)
    const records = new Bucket(this, 'Records', {
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      lifecycleRules: [{ expiration: keepFor }],
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    })
    acknowledge(records, 'AwsSolutions-S1', 'It holds records of calls; those of calls to itself would never end.')
    const trail = new Trail(this, 'Trail', {
      // The CDK's own types do not fit each other under exactOptionalPropertyTypes.
      bucket: records as IBucket,
      managementEvents: ReadWriteType.NONE,
      isMultiRegionTrail: false,
      includeGlobalServiceEvents: false,
      enableFileValidation: true,
    })
    const prefixes = [roots.quarantine, roots.quarantineLog, roots.findings]
    trail.addS3EventSelector(prefixes.map((root) => ({ bucket: bucket as IBucket, objectPrefix: `${root}/` })))
  }
}
