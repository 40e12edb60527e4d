import { RemovalPolicy } from 'aws-cdk-lib'
import { AttributeType, Billing, ProjectionType, TableEncryptionV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { Construct } from 'constructs'
import { stateTable } from 'dray/internal/state/table-definition.ts'

/** `last_run`, leases and run metrics. It outlives the stack: without it every incremental pipeline starts anew. */
export class StateTable extends Construct {
  readonly table: TableV2

  constructor(scope: Construct, id: string) {
    super(scope, id)
    this.table = new TableV2(this, 'Table', {
      partitionKey: string(stateTable.partitionKey),
      sortKey: string(stateTable.sortKey),
      globalSecondaryIndexes: [stateTable.byWorkflow, stateTable.byKind].map((index) => ({
        indexName: index.name,
        partitionKey: string(index.partitionKey),
        sortKey: string(index.sortKey),
        projectionType: ProjectionType.ALL,
      })),
      timeToLiveAttribute: stateTable.timeToLive,
      billing: Billing.onDemand(),
      encryption: TableEncryptionV2.awsManagedKey(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: true,
      // As it is protected, the rollback of a first deployment could not delete it, and would fail.
      removalPolicy: RemovalPolicy.RETAIN,
    })
  }
}

function string(name: string) {
  return { name, type: AttributeType.STRING }
}
