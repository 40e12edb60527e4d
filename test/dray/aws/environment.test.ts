import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type EnvironmentOptions, environmentOf } from 'dray-infra/internal/project/environment.ts'
import { environmentNamed, environmentsOf } from 'dray-infra/internal/project/environments.ts'
import { environments } from '#test/fixture/infra/environments.ts'
import { nightly } from '#test/fixture/infra/workflows/nightly.ts'
import { type SynthesizedStack, statementsOf, synthesizedStack, testEnvironment } from './synthesized-stack.ts'

const network = {
  id: 'vpc-0123456789abcdef0',
  subnets: [
    { id: 'subnet-0123456789abcdef0', availabilityZone: 'eu-north-1a', routeTable: 'rtb-0123456789abcdef0' },
    { id: 'subnet-0123456789abcdef1', availabilityZone: 'eu-north-1b', routeTable: 'rtb-0123456789abcdef1' },
  ],
}

const iam = { host: 'till.example.com', user: 'dray', database: 'till', resourceId: 'db-ABCDEFGHIJ' }

describe('an environment', () => {
  test('is one of dev and prod, valid as written', () => {
    const names = environmentsOf({ environments }).map(({ name }) => name)

    assert.deepEqual(names, ['dev', 'prod'])
  })

  test('gets its defaults, and lengths of time in seconds', () => {
    const { retention, expected, vpc, lineage, eventBusName } = environmentOf('test', testEnvironment)

    assert.deepEqual(retention, { staged: 30, logs: 30, metrics: 90, audit: 365 })
    assert.equal(lineage, null)
    assert.equal(expected.nightly?.successWithin, 93_600)
    assert.equal(vpc, null)
    assert.equal(eventBusName, 'default')
  })

  const faults: [string, Partial<EnvironmentOptions>, RegExp][] = [
    ['an account that is not one', { account: '12' }, /account.*12 digits|12 digits[\s\S]*account/],
    ['an unknown field', { regoin: 'eu-north-1' } as never, /regoin/],
    ['a database without an engine', { databases: { shop: { secret: 'x' } } as never }, /databases/],
    ['a length of time in words', { expected: { w: { successWithin: 'a day' } } }, /length of time/],
    ['logs kept for days that CloudWatch does not know', { retention: { logs: 31 as never } }, /retention\.logs/],
    ['e-mails beside a topic', { notify: { emails: ['a@example.com'], topicArn: 'arn:aws:sns:x' } }, /subscribe/],
  ]
  for (const [fault, options, says] of faults) {
    test(`is refused with ${fault}`, () => {
      const make = () => environmentOf('test', { ...testEnvironment, ...options })

      assert.throws(make, (error: Error) => error.name === 'Configuration' && says.test(error.message))
    })
  }

  test('is refused when it lacks a database that a handler works with', async () => {
    const { lake: _, ...databases } = testEnvironment.databases

    await assert.rejects(
      synthesizedStack({ databases }),
      /^Configuration: Nothing was synthesized, since the environment test does not say where the database lake is; add/,
    )
  })

  test('is refused once for all the databases that it lacks, with what to write for each', async () => {
    await assert.rejects(synthesizedStack({ databases: {} }), (error: Error) => {
      assert.match(error.message, /where 3 databases are \(lake, shop, till\)/)
      for (const name of ['lake', 'shop', 'till']) {
        assert.ok(error.message.includes(`${name}: { engine: 'postgres', secret: '/dray/test/${name}/url' }`), name)
        assert.match(
          error.message,
          new RegExp(`create-secret --name /dray/test/${name}/url --secret-string file://${name}\\.url`),
        )
      }
      return true
    })
  })

  test('is refused when it expects nothing of a workflow', async () => {
    await assert.rejects(synthesizedStack({ expected: {} }), /nothing of nightly/)
  })

  test('is refused when it reserves concurrency for a handler that there is not', async () => {
    const reservedConcurrency = { 'functions/order/load.ts': 4 }

    await assert.rejects(
      synthesizedStack({ reservedConcurrency }),
      /functions\/order\/load\.ts, which no workflow runs/,
    )
  })
})

describe('the environment emulated', () => {
  const project = { environments: {}, workflows: [nightly], databases: { shop: { embedded: 'sqlite' } } } as const

  test('has the databases of this machine, by their URLs or embedded', (t) => {
    t.after(() => delete process.env.SHOP_DATABASE_URL)
    const engine = () => environmentNamed('emulated', project).databases.shop?.engine

    const embedded = engine()
    process.env.SHOP_DATABASE_URL = 'mariadb://somebody@host/shop'

    assert.deepEqual([embedded, engine()], ['sqlite', 'mysql'])
  })

  test('cannot be one of infra/environments.ts', () => {
    const declared = { ...project, environments: { emulated: testEnvironment } }

    for (const name of ['emulated', 'dev']) {
      assert.throws(
        () => environmentNamed(name, declared),
        /has an environment emulated, a name that means the emulator/,
      )
    }
    assert.throws(() => environmentsOf(declared), /give it another name/)
  })
})

describe('the stack of an environment', () => {
  test('spares a database by reserved concurrency', async () => {
    const stack = await synthesizedStack({ reservedConcurrency: { 'functions/orders/load.ts': 4 } })

    assert.equal(stack.lambda('functions/orders/load.ts').Properties.ReservedConcurrentExecutions, 4)
    assert.equal(stack.lambda('functions/customers/load.ts').Properties.ReservedConcurrentExecutions, undefined)
  })

  test('puts functions with a database and transforms into its network, without a NAT or a look-up', async () => {
    const stack = await synthesizedStack({ vpc: network })

    const inside = stack
      .ofType('AWS::Lambda::Function')
      .filter(({ Properties }) => Properties.VpcConfig !== undefined)
      .map(({ Properties }) => Properties.Description)
    const endpoints = stack.ofType('AWS::EC2::VPCEndpoint').map(({ Properties }) => Properties.VpcEndpointType)
    assert.deepEqual(inside.sort(), [
      'functions/customers/extract.ts',
      'functions/customers/load.ts',
      'functions/customers/transform.ts',
      'functions/data-mart/run.ts',
      'functions/dray/commit.ts',
      'functions/dray/plan.ts',
      'functions/dray/schema.ts',
      'functions/orders/extract.ts',
      'functions/orders/load.ts',
      'functions/orders/transform.ts',
    ])
    assert.deepEqual(endpoints.sort(), ['Gateway', 'Gateway', 'Interface'])
    assert.equal(stack.ofType('AWS::EC2::NatGateway').length, 0)
  })

  test('lets a transform reach no database, and nobody another account through its endpoints', async () => {
    const stack = await synthesizedStack({ vpc: network })

    const groupOf = (handler: string): string => {
      const named = stack.lambda(handler).Properties.VpcConfig.SecurityGroupIds[0]['Fn::ImportValue']
      const output = stack.outputs[named.replace('Dray-test:', '')] as { Value: { 'Fn::GetAtt': [string, string] } }
      return output.Value['Fn::GetAtt'][0]
    }
    const ports = (handler: string) =>
      stack.resources[groupOf(handler)]?.Properties.SecurityGroupEgress.map(
        ({ ToPort }: { ToPort: number }) => ToPort,
      ).sort()
    const policies = stack
      .ofType('AWS::EC2::VPCEndpoint')
      .map(({ Properties }) => Object.keys(Properties.PolicyDocument.Statement[0].Condition.StringEquals).sort())

    assert.deepEqual(ports('functions/orders/transform.ts'), [443])
    assert.deepEqual(ports('functions/orders/extract.ts'), [3306, 443, 5432])
    assert.deepEqual(policies.sort(), [
      ['aws:PrincipalAccount'],
      ['aws:PrincipalAccount', 'aws:ResourceAccount'],
      ['aws:PrincipalAccount', 'aws:ResourceAccount'],
    ])
  })

  test('signs in with IAM as one user of one database, and holds no secret for it', async () => {
    const databases = { ...testEnvironment.databases, till: { engine: 'postgres' as const, iam } }

    const stack = await synthesizedStack({ databases })

    const extract = stack.lambda('functions/orders/extract.ts')
    const { Environment } = extract.Properties
    const policies = statementsOf(stack, stack.roleOf(extract))
    assert.equal(Environment.Variables.TILL_DATABASE_URL, 'postgres://dray@till.example.com:5432/till')
    assert.equal(Environment.Variables.TILL_DATABASE_IAM, 'true')
    assert.match(JSON.stringify(policies), /rds-db:connect.*dbuser:db-ABCDEFGHIJ\/dray/)
    assert.doesNotMatch(JSON.stringify(policies), /secretsmanager/)
  })

  test('decrypts a secret under a key of somebody’s own by Secrets Manager alone, in the roles that read it', async () => {
    const encryptionKey = 'arn:aws:kms:eu-north-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab'
    const till = { engine: 'postgres' as const, secret: '/dray/test/till/url', encryptionKey }
    const databases = { ...testEnvironment.databases, till }
    const lineage = { url: 'https://lineage.example.com', apiKeySecret: 'k', apiKeyEncryptionKey: encryptionKey }

    const stack = await synthesizedStack({ databases })
    const telling = await synthesizedStack({ lineage })

    const decrypts = (of: SynthesizedStack, handler: string) =>
      statementsOf(of, of.roleOf(of.lambda(handler))).filter(({ resources }) => resources.includes(encryptionKey))
    const viaService = { 'Fn::Join': ['', ['secretsmanager.', { Ref: 'AWS::Region' }, '.amazonaws.com']] }
    const [statement, ...more] = decrypts(stack, 'functions/orders/extract.ts')
    assert.deepEqual([statement?.effect, statement?.actions, more], ['Allow', ['kms:Decrypt'], []])
    assert.deepEqual(statement?.condition, { StringEquals: { 'kms:ViaService': viaService } })
    for (const handler of ['functions/orders/transform.ts', 'functions/orders/load.ts', 'functions/dray/finish.ts'])
      assert.deepEqual(decrypts(stack, handler), [])
    assert.equal(decrypts(telling, 'functions/dray/finish.ts').length, 1)
    const policies = stack.ofType('AWS::IAM::ManagedPolicy').map((policy) => JSON.stringify(policy))
    assert.equal(policies.filter((policy) => policy.includes(encryptionKey)).length, 1)
  })

  test('refuses the alias of a key, which no permission can name', () => {
    const encryptionKey = 'arn:aws:kms:eu-north-1:123456789012:alias/etl'
    const databases = { till: { engine: 'postgres' as const, secret: '/dray/test/till/url', encryptionKey } }

    assert.throws(() => environmentOf('test', { ...testEnvironment, databases }), /is not the ARN of a key/)
  })

  test('trusts the authorities of Amazon where a database of RDS is reached, and nowhere else', async () => {
    const stack = await synthesizedStack()

    const trusted = (handler: string) => stack.lambda(handler).Properties.Environment.Variables.NODE_EXTRA_CA_CERTS
    assert.equal(trusted('functions/orders/load.ts'), '/var/runtime/ca-cert.pem')
    assert.equal(trusted('functions/orders/transform.ts'), undefined)
  })
})
