/** Why something is granted that no run of test/dray/cloud/grants.test.ts uses. */
export interface Reason {
  /** Names of roles, with wildcards. */
  readonly by: readonly string[]
  readonly actions: readonly string[]
  /** The resource, and what a condition says; any without it. */
  readonly on?: string
  readonly why: string
}

const inParts = 'A comparison that takes longer than a call leaves to the next one how far it has come.'
const machines = ['pipelines', 'workflows']

export const unusedGrants: readonly Reason[] = [
  {
    by: ['*'],
    actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    on: 'log-group:/dray/dev/*',
    why: 'Lambda writes the logs of a function with its role.',
  },
  {
    by: ['*'],
    actions: ['xray:*'],
    why: 'Lambda and Step Functions send traces with the role of what they run.',
  },
  {
    by: machines,
    actions: ['logs:*LogDelivery', 'logs:*LogDeliveries', 'logs:*ResourcePolic*', 'logs:DescribeLogGroups'],
    why: 'Step Functions sets up where the logs of a state machine go with its role.',
  },
  {
    by: ['*_workflow_start'],
    actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'],
    why: 'Lambda takes messages from the queue with the role of the function.',
  },
  {
    by: ['*janitor', '*_versions', '*_notify-*'],
    actions: ['sqs:SendMessage'],
    why: 'Lambda puts a call aside that has failed for good, with the role of the function.',
  },
  {
    by: ['<*.SchedulerRole*>'],
    actions: ['sqs:SendMessage'],
    why: 'EventBridge Scheduler sends its ticks, and those that it cannot send.',
  },
  {
    by: ['*'],
    actions: ['s3:AbortMultipartUpload'],
    why: 'An upload in parts that fails is thrown away.',
  },
  {
    by: ['extract-*', 'transform', 'load-*', 'plan', 'gather'],
    actions: ['s3:ListBucket'],
    on: '<StagingBucket> for runs/*',
    why: 'S3 says of an object that it is missing to those alone who may list it.',
  },
  {
    by: ['load-*'],
    actions: ['s3:PutObject'],
    on: '<StagingBucket>/quarantine/*',
    why: 'A run that a version before has planned leaves no refused rows to Commit: they are quarantined at once.',
  },
  {
    by: ['reconcile'],
    actions: ['s3:GetObject', 's3:PutObject', 's3:ListBucket'],
    on: '<StagingBucket>*runs/*/*/_compared/*',
    why: inParts,
  },
  {
    by: ['reconcile'],
    actions: ['kms:GenerateDataKey'],
    why: inParts,
  },
  {
    by: ['load-*', 'task-*'],
    actions: ['dynamodb:GetItem'],
    why: 'Where the reply to a write is lost, the item tells whether it was written.',
  },
  {
    by: ['commit', 'outcome'],
    actions: ['dynamodb:Query'],
    why: 'A run that began with a version before goes on with its code, which reads all items of the run.',
  },
  {
    by: ['tables', 'gather'],
    actions: ['dynamodb:GetItem', 'dynamodb:Query'],
    why: 'A lease that another run holds is looked up, and what is known of tables that are left out or were lost.',
  },
  {
    by: ['tables'],
    actions: ['s3:PutObject'],
    on: '<StagingBucket>/runs/*/*/_items/*',
    why: 'More than 1,000 tables are the items of a Distributed Map.',
  },
  {
    by: ['copies_workflow_start'],
    actions: ['dynamodb:*', 'states:*', 'sqs:SendMessage'],
    why: 'The workflow of the replica has no event and no schedule; the start of another one shows these calls.',
  },
  {
    by: ['copies_workflow_janitor'],
    actions: ['states:StartExecution', 'states:DescribeExecution', 'dynamodb:PutItem'],
    why: 'Runs of this workflow follow no other and are not swept here; the janitor of another one shows these calls.',
  },
  {
    by: ['people', 'reconcile'],
    actions: ['secretsmanager:GetSecretValue'],
    on: 'secret:/dray/dev/music/*',
    why: 'Nothing plans or compares a table of the replica here; what is done with a pipeline shows this call.',
  },
  {
    by: ['workflows_dray_versions'],
    actions: ['lambda:DeleteFunction'],
    why: 'A version is deleted a day after it was published, at the earliest.',
  },
  {
    by: ['finish'],
    actions: ['events:PutEvents'],
    on: '* for dray.wide',
    why: 'The second workflow of the project is stopped before it ends.',
  },
  {
    by: ['people'],
    actions: ['s3:DeleteObject'],
    why: 'What was closed is pruned a day later, at the earliest.',
  },
  {
    by: ['people'],
    actions: ['logs:FilterLogEvents'],
    on: 'log-group:*:*',
    why: 'CloudWatch Logs names a log group with `:*` at its end, too.',
  },
]
