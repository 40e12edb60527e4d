import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  checks,
  exists,
  faults,
  functionGroups,
  GROUPS,
  gateway,
  hasOneFault,
  interfaceOf,
  nowhere,
  routeTable,
  SUBNETS,
  serveNetwork,
  subnet,
  TABLES,
  toBeMade,
} from './closed-network.ts'

const aws = serveNetwork()
const { described, attributes } = aws.network

describe('the network of an environment', () => {
  test('is in order as a deployment leaves it', async () => {
    const found = await checks()

    assert.deepEqual(
      found.map(({ verdict, check, said }) => `${verdict} ${check}: ${said}`),
      [
        'ok vpc: the network is there',
        'ok dns: names are resolved as its endpoints need it',
        `ok subnets: ${SUBNETS[0]} has 251 free addresses, ${SUBNETS[1]} has 120 free addresses`,
        'ok security groups: functions may call the ports 443, 3306, 5432',
        'ok s3: functions reach S3 by the endpoint vpce-s3',
        'ok dynamodb: functions reach DynamoDB by the endpoint vpce-dynamodb',
        'ok secretsmanager: functions reach Secrets Manager by the endpoint vpce-secretsmanager',
      ],
    )
  })

  test('may lack, before the first deployment, what that makes', async () => {
    described.set('DescribeVpcEndpoints', [])
    described.set('DescribeSecurityGroups', [])

    const found = await checks(toBeMade)

    assert.deepEqual(await faults(toBeMade), [])
    assert.match(found.map(({ said }) => said).join('\n'), /^a deployment makes the endpoint of Secrets Manager$/m)
  })

  test('that is not there is all that is said', async () => {
    described.set('DescribeVpcs', [])

    await hasOneFault(
      /^✗ vpc: there is no network vpc-\w+ in eu-north-1 .* cannot be deployed.*; correct vpc\.id .* AWS_PROFILE/,
    )
  })

  test('is not known, and no fault, where it may not be read', async () => {
    const actions = ['Vpcs', 'VpcAttribute', 'Subnets', 'RouteTables', 'VpcEndpoints', 'SecurityGroups']
    for (const action of actions) aws.refusals.set(`Describe${action}`, 'UnauthorizedOperation')

    const named = actions.map((action) => `ec2:Describe${action}`).toSorted()
    await hasOneFault(
      new RegExp(`^\\? network: .*\\(UnauthorizedOperation\\).*; ${named.join(', ')} would show the rest$`),
    )
  })

  test('is not known where EC2 is not there', async () => {
    aws.refusals.set('DescribeSubnets', 'Unavailable')

    await hasOneFault(/^\? network: .*\(Unavailable\), .*; look again from where EC2 answers$/)
  })

  test('shows what may be read where something may not', async () => {
    aws.refusals.set('DescribeRouteTables', 'UnauthorizedOperation')
    described.set('DescribeSubnets', [subnet(0, 251)])

    const [first = '', second = '', ...others] = await faults()

    assert.match(first, /^✗ subnets: there is no subnet subnet-0123456789abcdef1/)
    assert.match(second, /^\? network: .*; ec2:DescribeRouteTables would show the rest$/)
    assert.deepEqual(others, [])
  })
})

describe('names in a network', () => {
  test('are not those of private endpoints where the host names are off', async () => {
    attributes.set('enableDnsHostnames', false)

    const line =
      /^✗ dns: enableDnsHostnames is off, so the private names of vpce-secretsmanager are not resolved.*--enable-dns-hostnames`$/
    await hasOneFault(line)
  })

  test('keep the endpoint of Secrets Manager from being made where they are off', async () => {
    described.set('DescribeVpcEndpoints', [])
    for (const attribute of attributes.keys()) attributes.set(attribute, false)

    const line =
      /^✗ dns: enableDnsSupport and enableDnsHostnames are off, .* a deployment is refused.*--enable-dns-support`, .*--enable-dns-hostnames`$/
    await hasOneFault(line, toBeMade)
  })

  test('may be resolved by a server of one’s own where no endpoint is private', async () => {
    attributes.set('enableDnsSupport', false)
    const nat = { destinationCidrBlock: '0.0.0.0/0', natGatewayId: 'nat-1' }
    described.set('DescribeRouteTables', [
      routeTable(TABLES[0], SUBNETS[0], nat),
      routeTable(TABLES[1], SUBNETS[1], nat),
    ])
    described.set('DescribeVpcEndpoints', [])

    await hasOneFault(/^! dns: enableDnsSupport is off, so functions find neither S3 nor DynamoDB, unless /, exists)
  })
})

describe('subnets', () => {
  test('of another network are refused', async () => {
    described.set('DescribeSubnets', [subnet(0, 251), subnet(1, 251, 'vpc-other')])

    await hasOneFault(
      /^✗ subnets: subnet-\w+1 is a subnet of vpc-other, not of vpc-\w+, so dev cannot be deployed; correct vpc\.subnets/,
    )
  })

  test('with few free addresses are said, and with too few a deployment is refused', async () => {
    described.set('DescribeSubnets', [subnet(0, 251), subnet(1, 1)])

    await hasOneFault(
      /^! subnets: subnet-\w+1 \(10\.0\.1\.0\/24\) has one free address, .*SubnetIPAddressLimitReached; free some/,
    )
    described.set('DescribeVpcEndpoints', [])
    await hasOneFault(/^✗ subnets: .* needs 3, so a deployment is refused; free some/, toBeMade)
    described.set('DescribeSubnets', [subnet(0, 251), subnet(1, 2)])
    await hasOneFault(/^! subnets: /, { ...toBeMade, needsSecrets: false })
  })

  test('have the route table that the settings name', async () => {
    described.set('DescribeRouteTables', [routeTable(TABLES[0], SUBNETS[0]), routeTable('rtb-other', SUBNETS[1])])
    described.set('DescribeVpcEndpoints', [
      gateway('s3', TABLES[0], 'rtb-other'),
      gateway('dynamodb', TABLES[0], 'rtb-other'),
      interfaceOf('secretsmanager'),
    ])

    await hasOneFault(
      /^! routes: subnet-\w+1 has the route table rtb-other, and infra\/environments\.ts says rtb-\w+1, so /,
    )
    described.set('DescribeVpcEndpoints', [])
    await hasOneFault(/^✗ routes: .*; correct vpc\.subnets there and deploy$/, toBeMade)
    const nat = { destinationCidrBlock: '0.0.0.0/0', natGatewayId: 'nat-1' }
    const tables = [routeTable(TABLES[0], SUBNETS[0], nat), routeTable('rtb-other', SUBNETS[1], nat)]
    described.set('DescribeRouteTables', tables)
    await hasOneFault(/^! routes: /, toBeMade)
    assert.deepEqual(await faults(exists), [])
  })
})

describe('security groups', () => {
  test('let functions out to each database, and to AWS', async () => {
    described.set('DescribeSecurityGroups', [
      functionGroups.databases(443, 5432),
      functionGroups.staging(80),
      functionGroups.endpoints(GROUPS.databases),
    ])

    const [first = '', second = '', ...others] = await faults()

    assert.match(
      first,
      /^✗ security groups: .*sg-databases of functions with a database lets nothing out to port 3306, where the database src listens, so .*authorize-security-group-egress --group-id sg-databases --protocol tcp --port 3306 /,
    )
    assert.match(
      second,
      /^✗ security groups: .*sg-staging of transforms lets nothing out to port 443, where AWS listens, so /,
    )
    assert.deepEqual(others, [])
  })

  test('that are not in the network keep functions from starting', async () => {
    described.set('DescribeSecurityGroups', [
      functionGroups.databases(443, 3306, 5432),
      functionGroups.endpoints(GROUPS.databases),
    ])

    await hasOneFault(
      /^✗ security groups: .*sg-staging of transforms is not in vpc-\w+, so these do not start there; .*npx dray deploy dev/,
    )
  })

  test('are none where the stack was deployed without a network', async () => {
    described.set('DescribeVpcEndpoints', [])

    await hasOneFault(
      /^! security groups: Dray-dev was deployed without a network, .*`npx dray deploy dev` puts them there$/,
      {
        stack: 'outside',
        groups: nowhere,
      },
    )
  })
})
