import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { pipelineMachineName, workflowMachineName } from 'dray-infra/internal/aws/names.ts'
import { stackOutputs } from 'dray-infra/internal/aws/stack-outputs.ts'
import { nightly } from '#test/fixture/infra/workflows/nightly.ts'
import { type Resource, type SynthesizedStack, statementsOf, synthesizedStack } from './synthesized-stack.ts'

const STAGING_BUCKET = 'StagingBucketF0D7AEDD'

describe('the stack', () => {
  let stack: SynthesizedStack
  before(async () => {
    stack = await synthesizedStack()
  })
  const only = (type: string): Resource => {
    const [found, ...more] = stack.ofType(type)
    assert.ok(found, `there is no ${type}`)
    assert.equal(more.length, 0)
    return found
  }

  test('has a Lambda for each extract, transform and load, each task, each control function', () => {
    const expected = [nightly].flatMap(({ steps }) =>
      steps.flatMap(({ kind, name }) =>
        (kind === 'task' ? ['run'] : ['extract', 'transform', 'load']).map((stage) => `functions/${name}/${stage}.ts`),
      ),
    )
    const control = [
      'plan',
      'commit',
      'outcome',
      'finish',
      'start',
      'janitor',
      'pipeline-janitor',
      'schema',
      'versions',
    ].map((stage) => `functions/dray/${stage}.ts`)

    const handlers = stack.ofType('AWS::Lambda::Function').map(({ Properties }) => Properties.Description)

    assert.deepEqual([...new Set(handlers)].sort(), [...new Set([...expected, ...control])].sort())
    // Pipelines and workflows are in stacks of their own, and both end runs.
    assert.deepEqual(handlers.filter((handler, index) => handlers.indexOf(handler) !== index).sort(), [
      'functions/dray/finish.ts',
      'functions/dray/outcome.ts',
    ])
  })

  test('tells start and janitor how long events wait for the next run', () => {
    const told = stack.ofType('AWS::Lambda::Function').flatMap(({ Properties }) => {
      const { WORKFLOW_MIN_INTERVAL: seconds } = Properties.Environment.Variables
      return seconds === undefined ? [] : [[Properties.Description, seconds]]
    })

    assert.deepEqual(told.toSorted(), [
      ['functions/dray/janitor.ts', '900'],
      ['functions/dray/start.ts', '900'],
    ])
  })

  test('announces the ends of workflows, and not those of pipelines that a person has started', () => {
    const announcing = stack.ofType('AWS::Lambda::Function').flatMap(({ Properties }) => {
      const { FunctionName, Environment } = Properties
      return Environment.Variables.EVENT_BUS_NAME === undefined ? [] : [FunctionName]
    })

    assert.deepEqual(announcing, ['Dray-test_workflows_dray_finish'])
  })

  test('runs each Lambda on Node 24 and ARM, traced, under a name of the environment', () => {
    const lambdas = stack.ofType('AWS::Lambda::Function')

    for (const { Properties } of lambdas) {
      assert.equal(Properties.Runtime, 'nodejs24.x')
      assert.deepEqual(Properties.Architectures, ['arm64'])
      assert.equal(Properties.TracingConfig.Mode, 'Active')
      assert.match(Properties.Environment.Variables.NODE_OPTIONS, /--enable-source-maps/)
      assert.match(Properties.FunctionName, /^Dray-test_[\w-]+$/)
    }
    assert.equal(new Set(lambdas.map(({ Properties }) => Properties.FunctionName)).size, lambdas.length)
  })

  test('lets functions of one kind share a role, and what starts and cleans has its own', () => {
    const roles = Map.groupBy(stack.ofType('AWS::Lambda::Function'), (lambda) => stack.roleOf(lambda))

    const shared = [...roles.values()].filter((lambdas) => lambdas.length > 1)
    const handlers = shared.map((lambdas) => lambdas.map(({ Properties }) => Properties.Description).sort())
    assert.deepEqual(handlers.toSorted(), [
      ['functions/customers/load.ts', 'functions/orders/load.ts'],
      ['functions/customers/transform.ts', 'functions/orders/transform.ts'],
      ['functions/dray/finish.ts', 'functions/dray/finish.ts'],
      ['functions/dray/outcome.ts', 'functions/dray/outcome.ts'],
    ])
  })

  test('keeps logs for as long as it says, those of a pipeline in one group', () => {
    const groups = stack.ofType('AWS::Logs::LogGroup').map(({ Properties }) => Properties)

    assert.deepEqual(groups.map(({ LogGroupName }) => LogGroupName).sort(), [
      '/aws/vendedlogs/states/Dray-test',
      '/dray/test/customers',
      '/dray/test/dray',
      '/dray/test/orders',
      '/dray/test/workflows/nightly',
    ])
    for (const { RetentionInDays } of groups) assert.equal(RetentionInDays, 30)
  })

  test('keeps the state in an on-demand table with point-in-time recovery that outlives the stack', () => {
    const table = only('AWS::DynamoDB::GlobalTable')

    const [replica] = table.Properties.Replicas
    assert.equal(table.Properties.BillingMode, 'PAY_PER_REQUEST')
    assert.deepEqual(table.Properties.TimeToLiveSpecification, { AttributeName: 'expires_at', Enabled: true })
    assert.equal(replica.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled, true)
    assert.equal(replica.DeletionProtectionEnabled, true)
    assert.equal(table.Properties.SSESpecification.SSEEnabled, true)
    assert.equal(table.DeletionPolicy, 'Retain')
    const indexes = table.Properties.GlobalSecondaryIndexes.map(({ IndexName }: { IndexName: string }) => IndexName)
    assert.ok(indexes.includes('by_workflow'))
  })

  test('keeps staged rows encrypted, private, and reachable over TLS only', () => {
    const bucket = stack.resources[STAGING_BUCKET]?.Properties
    const [policy] = stack
      .ofType('AWS::S3::BucketPolicy')
      .filter(({ Properties }) => Properties.Bucket.Ref === STAGING_BUCKET)
      .map(({ Properties }) => Properties.PolicyDocument.Statement)

    const denied = policy.filter(({ Effect }: { Effect: string }) => Effect === 'Deny')
    const [encryption] = bucket.BucketEncryption.ServerSideEncryptionConfiguration

    assert.equal(encryption.ServerSideEncryptionByDefault.SSEAlgorithm, 'aws:kms')
    assert.ok(Object.values(bucket.PublicAccessBlockConfiguration).every((blocked) => blocked === true))
    assert.ok(denied.some((statement: object) => JSON.stringify(statement).includes('"aws:SecureTransport":"false"')))
    assert.equal(only('AWS::KMS::Key').Properties.EnableKeyRotation, true)
  })

  test('records who touches quarantined rows, findings and what was decided, and no batch', () => {
    const [selector] = only('AWS::CloudTrail::Trail').Properties.EventSelectors

    assert.deepEqual(
      selector.DataResources.flatMap(({ Values }: { Values: unknown[] }) => Values).map(
        (value: unknown) => /"(\/[^"]+)"\]\]/.exec(JSON.stringify(value))?.[1],
      ),
      ['/quarantine/', '/quarantine-log/', '/findings/'],
    )
    assert.notEqual(selector.IncludeManagementEvents, true)
  })

  test('lets batches and findings expire, and nothing of the quarantine by its age', () => {
    interface Rule {
      readonly Status: string
      readonly Prefix?: string
      readonly ExpirationInDays?: number
      readonly AbortIncompleteMultipartUpload?: { readonly DaysAfterInitiation: number }
    }
    const rules: Rule[] = stack.resources[STAGING_BUCKET]?.Properties.LifecycleConfiguration.Rules

    const expiring = rules.filter((rule) => Object.keys(rule).some((name) => /expiration/i.test(name)))
    const aborting = rules.filter((rule) => rule.AbortIncompleteMultipartUpload !== undefined)

    assert.deepEqual(
      expiring.map(({ Status, Prefix, ExpirationInDays }) => [Status, Prefix, ExpirationInDays]),
      [
        ['Enabled', 'runs/', 30],
        ['Enabled', 'findings/', 30],
      ],
    )
    assert.deepEqual(
      aborting.map(({ Prefix, AbortIncompleteMultipartUpload: after }) => [Prefix, after?.DaysAfterInitiation]),
      [[undefined, 1]],
    )
  })

  test('says where its parts are, for the command', () => {
    const { stateTable, stagingBucket, operatorPolicy } = stackOutputs

    const types = [stateTable, stagingBucket, operatorPolicy].map((key) => {
      const value = stack.outputs[key]?.Value as { Ref: string } | undefined
      return stack.resources[value?.Ref ?? '']?.Type
    })

    assert.deepEqual(types, ['AWS::DynamoDB::GlobalTable', 'AWS::S3::Bucket', 'AWS::IAM::ManagedPolicy'])
  })

  test('logs every state of a run, without the data, and traces it', () => {
    for (const { Properties } of stack.ofType('AWS::StepFunctions::StateMachine')) {
      assert.equal(Properties.StateMachineType, 'STANDARD')
      assert.equal(Properties.LoggingConfiguration.Level, 'ALL')
      assert.equal(Properties.LoggingConfiguration.IncludeExecutionData, false)
      assert.equal(Properties.TracingConfiguration.Enabled, true)
    }
  })

  test('starts the daily update at two in the morning, Helsinki time', () => {
    const schedules = stack.ofType('AWS::Scheduler::Schedule').map(({ Properties }) => Properties)

    const daily = schedules.find(({ Target }) => JSON.stringify(Target.Arn).includes('TriggersRequests'))

    assert.equal(daily?.ScheduleExpression, 'cron(0 2 * * ? *)')
    assert.equal(daily?.ScheduleExpressionTimezone, 'Europe/Helsinki')
    assert.deepEqual(JSON.parse(daily?.Target.Input), { trigger: 'schedule', id: '<aws.scheduler.scheduled-time>' })
    assert.ok(daily?.Target.DeadLetterConfig)
    assert.equal(daily?.Target.RetryPolicy.MaximumRetryAttempts, 20)
  })

  test('starts a workflow on each event that it names, and on none of another environment', () => {
    const detail = { environment: ['test', { exists: false }] }
    const expected = [nightly].flatMap(({ events }) =>
      events.map(({ source, detailType }) => ({ source: [source], 'detail-type': [detailType], detail })),
    )

    const rules = stack.ofType('AWS::Events::Rule').map(({ Properties }) => Properties)
    const started = rules.filter(({ Targets }) => JSON.stringify(Targets[0].Arn).includes('TriggersRequests'))

    assert.deepEqual(
      started.map(({ EventPattern }) => EventPattern),
      expected,
    )
  })

  test('hands events and ticks to start in batches, and keeps what it cannot handle', () => {
    const [mapping] = stack.ofType('AWS::Lambda::EventSourceMapping').map(({ Properties }) => Properties)
    const queues = stack.ofType('AWS::SQS::Queue').map(({ Properties }) => Properties)
    const requests = queues.find(({ RedrivePolicy }) => RedrivePolicy !== undefined)

    assert.equal(mapping?.MaximumBatchingWindowInSeconds, 30)
    assert.deepEqual(mapping?.FunctionResponseTypes, ['ReportBatchItemFailures'])
    assert.equal(requests?.VisibilityTimeout, 390)
    assert.ok(JSON.stringify(requests?.RedrivePolicy.deadLetterTargetArn).includes('LostStarts'))
  })

  test('cleans up after every execution that has ended, however it did', () => {
    const ended = stack
      .ofType('AWS::Events::Rule')
      .map(({ Properties }) => Properties)
      .find(({ Description }) => /^Executions of nightly/.test(Description ?? ''))

    assert.deepEqual(ended?.EventPattern.detail.status, ['SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED'])
    assert.ok(JSON.stringify(ended?.Targets[0].Arn).includes('Janitor'))
    assert.ok(ended?.Targets[0].DeadLetterConfig)
  })

  test('keeps in a queue with an alarm what a function has failed of that rules call, and lets it write there', () => {
    const called = Object.entries(stack.resources).filter(([id, { Type }]) => {
      const [, place = '', own = ''] = /^(.*\/)?(\w+)$/.exec(id) ?? []
      return (
        Type === 'AWS::Lambda::Function' &&
        Object.entries(stack.resources).some(
          ([rule, { Type: type, Properties }]) =>
            type === 'AWS::Events::Rule' && rule.startsWith(place) && JSON.stringify(Properties.Targets).includes(own),
        )
      )
    })
    const alarms = JSON.stringify(stack.ofType('AWS::CloudWatch::Alarm'))

    assert.deepEqual(called.map(([, { Properties }]) => Properties.Description).sort(), [
      'functions/dray/janitor.ts',
      'functions/dray/pipeline-janitor.ts',
      'functions/dray/versions.ts',
    ])
    for (const [id, lambda] of called) {
      const config = stack
        .ofType('AWS::Lambda::EventInvokeConfig')
        .find(({ Properties }) => Properties.FunctionName.Ref === id.split('/').at(-1))
      const queue = JSON.stringify(config?.Properties.DestinationConfig.OnFailure.Destination)
      const [, name = 'no queue'] = /"Fn::GetAtt":\["(\w+)","Arn"\]/.exec(queue) ?? []
      const sends = statementsOf(stack, stack.roleOf(lambda)).filter(({ actions }) =>
        actions.includes('sqs:SendMessage'),
      )
      assert.deepEqual(
        sends.flatMap(({ resources }) => resources),
        [queue],
      )
      assert.ok(alarms.includes(`"Value":{"Fn::GetAtt":["${name}","QueueName"]}`), `no alarm watches ${name}`)
    }
  })

  test('ends what is left of pipelines that a person has started, and leaves runs of workflows to their own janitors', () => {
    const ended = stack
      .ofType('AWS::Events::Rule')
      .map(({ Properties }) => Properties)
      .find(({ Description }) => /^Executions of pipelines/.test(Description ?? ''))
    const pattern = JSON.stringify(ended?.EventPattern.detail.stateMachineArn)
    const [, before = '', after = ''] = /"wildcard".*:stateMachine:([^*"]+)\*([^*"]+)"/.exec(pattern) ?? []

    const long = 'of-a-long-name-'.repeat(6)
    const names = stack
      .ofType('AWS::StepFunctions::StateMachine')
      .map(({ Properties }) => Properties.StateMachineName)
      .concat(pipelineMachineName('test', long, 2), workflowMachineName('test', long))
    const heard = names.filter((name) => name.startsWith(before) && name.endsWith(after))

    assert.deepEqual(heard.slice(0, -1).sort(), ['Dray-test_customers_pipeline', 'Dray-test_orders_pipeline'])
    assert.match(heard.at(-1), /^Dray-test_2_of-a-long-name-.*-[0-9a-f]{8}_pipeline$/)
    assert.ok(names.every(({ length }) => length <= 80))
  })

  test('keeps the logical ids of what holds data, which a deployment would otherwise replace', () => {
    const kept = Object.entries(stack.resources)
      .filter(([, { DeletionPolicy, Type }]) => /^Retain/.test(DeletionPolicy) && Type !== 'AWS::Lambda::Version')
      .map(([id, { Type }]) => [Type, id])

    assert.deepEqual(kept.sort(), [
      ['AWS::DynamoDB::GlobalTable', 'StateTable962DE04C'],
      ['AWS::KMS::Key', 'Key961B73FD'],
      ['AWS::S3::Bucket', 'AuditRecords096AC1ED'],
      ['AWS::S3::Bucket', STAGING_BUCKET],
    ])
  })

  test('leaves nothing behind when its first deployment is rolled back, but a table that is protected and versions', () => {
    const left = Object.values(stack.resources).filter(({ DeletionPolicy }) => DeletionPolicy === 'Retain')
    const kept = Object.values(stack.resources).filter(
      ({ DeletionPolicy }) => DeletionPolicy === 'RetainExceptOnCreate',
    )

    // A version goes with its function, which is not kept; of a later deployment's rollback it may be at work.
    assert.deepEqual([...new Set(left.map(({ Type }) => Type))].sort(), [
      'AWS::DynamoDB::GlobalTable',
      'AWS::Lambda::Version',
    ])
    assert.deepEqual([...new Set(kept.map(({ UpdateReplacePolicy }) => UpdateReplacePolicy))], ['Retain'])
  })
})

describe('the permissions', () => {
  let stack: SynthesizedStack
  before(async () => {
    stack = await synthesizedStack()
  })
  const allowed = (handler: string) => statementsOf(stack, stack.roleOf(stack.lambda(handler)))
  const databases = (handler: string) =>
    JSON.stringify(allowed(handler)).match(/(?<=:secret:\/dray\/test\/)[^/]+/g) ?? []
  const objects = (handler: string, action: string) =>
    allowed(handler)
      .filter(({ actions }) => actions.includes(action))
      .flatMap(({ resources }) => resources.map((resource) => /(?<=")\/[^"]+(?=")/.exec(resource)?.[0]))
      .sort()

  test('name no action by a wildcard', () => {
    const actions = statementsOf(stack).flatMap((statement) => statement.actions)

    assert.deepEqual(
      actions.filter((action) => action.includes('*')),
      [],
    )
  })

  test('name no resource by a lone wildcard, except where AWS knows no narrower one', () => {
    const unscoped = statementsOf(stack).filter(({ resources }) => resources.includes('*'))

    for (const action of unscoped.flatMap(({ actions }) => actions)) {
      assert.match(
        action,
        /^(xray:|logs:.*(LogDelivery|LogDeliveries|ResourcePolic|LogGroups)|states:ListStateMachines$)/,
      )
    }
  })

  test('let an extract read its source only, a load its target only, a transform no database', () => {
    assert.deepEqual(databases('functions/customers/extract.ts'), ['shop'])
    assert.deepEqual(databases('functions/customers/transform.ts'), [])
    assert.deepEqual(databases('functions/customers/load.ts'), ['lake'])
    assert.deepEqual(databases('functions/orders/extract.ts'), ['till'])
    assert.deepEqual(databases('functions/data-mart/run.ts'), ['lake'])
    assert.deepEqual(databases('functions/dray/finish.ts'), [])
  })

  test('tell each Lambda the secrets of its databases, and of no other', () => {
    for (const { Properties } of stack.ofType('AWS::Lambda::Function')) {
      const variables = Object.keys(Properties.Environment.Variables).filter((name) => name.endsWith('_SECRET_ARN'))

      const expected = databases(Properties.Description).map((name) => `${name.toUpperCase()}_DATABASE_URL_SECRET_ARN`)
      assert.deepEqual([...new Set(variables)].sort(), [...new Set(expected)].sort(), Properties.Description)
    }
  })

  test('keep a stage to what it stages', () => {
    const kept = ['/findings/*', '/quarantine/*']
    assert.deepEqual(objects('functions/orders/transform.ts', 's3:GetObject'), ['/runs/*'])
    assert.deepEqual(objects('functions/orders/transform.ts', 's3:PutObject'), [
      ...kept,
      '/runs/*/*/*/_told/*',
      '/runs/*/*/*/_transformed/*',
      '/runs/*/*/_passed/*',
    ])
    assert.deepEqual(objects('functions/orders/extract.ts', 's3:PutObject'), ['/runs/*/*/*/_extracted/*'])
    assert.deepEqual(objects('functions/data-mart/run.ts', 's3:GetObject'), [])
    assert.deepEqual(objects('functions/dray/outcome.ts', 's3:PutObject'), [])
  })

  test('leave last_run and leases to the control handlers', () => {
    const itemsOf = (action: string, handler: string) =>
      allowed(handler)
        .filter(({ effect, actions }) => effect === 'Allow' && actions.includes(`dynamodb:${action}`))
        .map(({ condition }) => condition)
    const onItems = (...keys: string[]) => [{ 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': keys } }]

    const reachesTable = JSON.stringify(allowed('functions/orders/transform.ts')).includes('dynamodb:')
    const noLastRun = { 'ForAnyValue:StringEquals': { 'dynamodb:Attributes': ['last_run'] } }
    assert.deepEqual(itemsOf('UpdateItem', 'functions/orders/load.ts'), onItems('RUN#*'))
    assert.deepEqual(itemsOf('UpdateItem', 'functions/dray/plan.ts'), onItems('PIPELINE#*'))
    assert.deepEqual(itemsOf('UpdateItem', 'functions/dray/commit.ts'), onItems('PIPELINE#*'))
    assert.deepEqual(itemsOf('UpdateItem', 'functions/dray/finish.ts'), onItems('RUN#*', 'PIPELINE#*'))
    // To put an item is to replace it: what it does not name is gone, last_run too.
    for (const { actions, condition } of statementsOf(stack)) {
      if (actions.includes('dynamodb:PutItem'))
        assert.doesNotMatch(JSON.stringify(condition) ?? 'PIPELINE#', /PIPELINE#/)
    }
    assert.deepEqual(itemsOf('PutItem', 'functions/dray/finish.ts'), onItems('RUN#*', 'WORKFLOW#*'))
    assert.equal(reachesTable, false)
    for (const handler of ['finish', 'janitor'].map((stage) => `functions/dray/${stage}.ts`)) {
      const denied = allowed(handler).find(({ effect }) => effect === 'Deny')
      assert.deepEqual(denied?.condition, noLastRun)
    }
  })

  test('let people list no objects but those that the command asks for', () => {
    const lists = statementsOf(stack).filter(({ actions }) => actions.includes('s3:ListBucket'))

    for (const { condition } of lists) assert.match(JSON.stringify(condition), /"s3:prefix":\["(runs|quarantine)\//)
  })

  test('let state machines call what the environment has, and nothing else', () => {
    const environments = ['Dray-test_nightly_workflow', 'Dray-test_orders_pipeline'].map((name) =>
      statementsOf(stack, stack.roleOf(stack.stateMachine(name))),
    )

    for (const statements of environments) {
      const starting = statements.filter(({ actions }) => /^(lambda|states):/.test(actions[0] ?? ''))
      for (const resource of starting.flatMap(({ resources }) => resources)) {
        assert.match(resource, /:(function|stateMachine|execution):Dray-test_\*(:\*)?"/)
      }
    }
  })

  test('let what deletes versions delete no function as a whole', () => {
    const deleting = statementsOf(stack).filter(({ actions }) => actions.includes('lambda:DeleteFunction'))

    assert.deepEqual(
      deleting.flatMap(({ resources }) => resources.map((resource) => /:function:[^"]+/.exec(resource)?.[0])),
      [':function:Dray-test_*:*'],
    )
  })

  test('let the workflow wait for its pipelines by the rule that Step Functions makes, and pipelines not', () => {
    const rules = (name: string) =>
      statementsOf(stack, stack.roleOf(stack.stateMachine(name))).filter(({ actions }) =>
        actions.includes('events:PutRule'),
      )

    assert.match(
      String(rules('Dray-test_nightly_workflow')[0]?.resources),
      /:rule\/StepFunctionsGetEventsForStepFunctionsExecutionRule"/,
    )
    assert.deepEqual(rules('Dray-test_orders_pipeline'), [])
  })
})
