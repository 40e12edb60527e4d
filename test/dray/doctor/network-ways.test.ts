import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  exists,
  faults,
  functionGroups,
  GROUPS,
  gateway,
  group,
  hasOneFault,
  interfaceOf,
  nowhere,
  routeTable,
  rule,
  SUBNETS,
  serveNetwork,
  TABLES,
  toBeMade,
  VPC,
} from './closed-network.ts'

const { described } = serveNetwork().network

describe('the ways of functions to AWS', () => {
  const secrets = interfaceOf('secretsmanager')
  const routed = (...routes: readonly Readonly<Record<string, string>>[]) =>
    described.set('DescribeRouteTables', [
      routeTable(TABLES[0], SUBNETS[0], ...routes),
      routeTable(TABLES[1], SUBNETS[1], ...routes),
    ])

  test('are cut where a gateway endpoint does not serve a subnet’s route table', async () => {
    described.set('DescribeVpcEndpoints', [gateway('s3', TABLES[0]), gateway('dynamodb', ...TABLES), secrets])

    await hasOneFault(
      /^✗ s3: .*\(subnet-\w+1: rtb-\w+1 has no way out\), so .*modify-vpc-endpoint --vpc-endpoint-id vpce-s3 --add-route-table-ids rtb-0123456789abcdef1`$/,
    )
  })

  test('are cut where an endpoint is gone', async () => {
    described.set('DescribeVpcEndpoints', [gateway('s3', ...TABLES)])

    const [first = '', second = '', ...others] = await faults()

    assert.match(
      first,
      /^✗ dynamodb: no endpoint of DynamoDB .*, so plan, load and commit wait .*create-vpc-endpoint --vpc-id vpc-\w+ --vpc-endpoint-type Gateway --service-name com\.amazonaws\.eu-north-1\.dynamodb --route-table-ids rtb-\w+0 rtb-\w+1`$/,
    )
    assert.match(
      second,
      /^✗ secretsmanager: .*plan times out with nothing in its log.*--vpc-endpoint-type Interface .* --private-dns-enabled`$/,
    )
    assert.deepEqual(others, [])
    assert.match(
      (await faults(exists)).at(-1) ?? '',
      /; write secretsEndpoint: 'create' at vpc in infra\/environments\.ts, /,
    )
  })

  test('may be a NAT', async () => {
    described.set('DescribeVpcEndpoints', [])
    routed({ destinationCidrBlock: '0.0.0.0/0', natGatewayId: 'nat-1' })

    assert.deepEqual(await faults(exists), [])
  })

  test('are neither a NAT that is gone, nor a gateway for public addresses', async () => {
    described.set('DescribeVpcEndpoints', [gateway('s3', ...TABLES), gateway('dynamodb', ...TABLES)])

    routed({ destinationCidrBlock: '0.0.0.0/0', natGatewayId: 'nat-1', state: 'blackhole' })
    await hasOneFault(/^✗ secretsmanager: .*its way out, nat-1, is not there any more/)
    routed({ destinationCidrBlock: '0.0.0.0/0', gatewayId: 'igw-1' })
    await hasOneFault(/^✗ secretsmanager: .*igw-1 is a way out for public addresses alone, which functions have not/)
  })

  test('are not known where they lead to another network, or belong to another account', async () => {
    described.set('DescribeVpcEndpoints', [gateway('s3', ...TABLES), gateway('dynamodb', ...TABLES)])

    routed({ destinationCidrBlock: '10.0.0.0/8', transitGatewayId: 'tgw-1' })
    await hasOneFault(/^\? secretsmanager: .*leads to tgw-1.*unless what is not seen from here leads to it/)
    routed()
    described.set('DescribeVpcs', [{ vpcId: VPC, ownerId: '999999999999', state: 'available' }])
    await hasOneFault(/^\? secretsmanager: /)
    await hasOneFault(/^\? secretsmanager: /, { stack: 'unknown', groups: nowhere })
  })

  test('are not found by an endpoint without a private name', async () => {
    described.set('DescribeVpcEndpoints', [
      gateway('s3', ...TABLES),
      gateway('dynamodb', ...TABLES),
      interfaceOf('secretsmanager', false),
    ])

    await hasOneFault(
      /^! secretsmanager: the endpoint vpce-secretsmanager of Secrets Manager has no private name, .*modify-vpc-endpoint --vpc-endpoint-id vpce-secretsmanager --private-dns-enabled`$/,
    )
  })

  test('are found in the main route table where a subnet has none of its own', async () => {
    const main = [{ routeTableAssociationId: 'rtbassoc-main', routeTableId: TABLES[1], main: true }]
    described.set('DescribeRouteTables', [
      routeTable(TABLES[0], SUBNETS[0]),
      { ...routeTable(TABLES[1], ''), associationSet: main },
    ])
    assert.deepEqual(await faults(), [])

    described.set('DescribeVpcEndpoints', [gateway('s3', ...TABLES), gateway('dynamodb', TABLES[0]), secrets])
    await hasOneFault(/^✗ dynamodb: .*\(subnet-\w+1: rtb-\w+1 has no way out\)/)
  })

  test('lead by an endpoint of S3 with a private name, and by a gateway where that name is for others alone', async () => {
    const guards = functionGroups.endpoints(GROUPS.databases)
    const own = [functionGroups.databases(443, 3306, 5432), functionGroups.staging(443)]
    described.set('DescribeSecurityGroups', [...own, guards])
    const others = { ...interfaceOf('s3'), dnsOptions: { privateDnsOnlyForInboundResolverEndpoint: true } }
    const served = [gateway('s3', ...TABLES), gateway('dynamodb', ...TABLES), secrets]

    described.set('DescribeVpcEndpoints', [...served, others])
    assert.deepEqual(await faults(), [])
    described.set('DescribeVpcEndpoints', [...served, interfaceOf('s3')])
    await hasOneFault(/^✗ s3: .* do not let in sg-staging at port 443, so functions wait for staged rows /)
  })

  test('do not lead by an endpoint that is not at work yet', async () => {
    const pending = { ...secrets, state: 'pendingAcceptance' }
    described.set('DescribeVpcEndpoints', [gateway('s3', ...TABLES), gateway('dynamodb', ...TABLES), pending])

    await hasOneFault(/^✗ secretsmanager: no endpoint of Secrets Manager is seen/)
  })

  test('that are there already keep a deployment from making them', async () => {
    const [first = '', second = '', third = '', ...others] = await faults(toBeMade)

    assert.match(
      first,
      /^✗ s3: the network has an endpoint of S3, vpce-s3, and a deployment .* refused; write gatewayEndpoints: 'exist' at vpc/,
    )
    assert.match(second, /^✗ dynamodb: /)
    assert.match(third, /^✗ secretsmanager: .*write secretsEndpoint: 'exist' at vpc/)
    assert.deepEqual(others, [])
  })

  test('are closed by an endpoint whose security group lets in neither their group nor their addresses', async () => {
    const guardedBy = (guard: never) =>
      described.set('DescribeSecurityGroups', [
        functionGroups.databases(443, 3306, 5432),
        functionGroups.staging(443),
        guard,
      ])

    guardedBy(functionGroups.endpoints('sg-others'))
    await hasOneFault(
      /^✗ secretsmanager: .*endpoint vpce-secretsmanager \(sg-endpoints\) do not let in sg-databases at port 443, so plan times out .*authorize-security-group-ingress --group-id sg-endpoints --protocol tcp --port 443 --source-group sg-databases`$/,
    )
    guardedBy(group('sg-endpoints', [rule(443, [{ cidrIp: '10.0.0.0/24' }])], []))
    await hasOneFault(/^✗ secretsmanager: /)
    guardedBy(group('sg-endpoints', [rule(443, [{ cidrIp: '10.0.0.0/28' }, { cidrIp: '10.0.1.0/28' }])], []))
    await hasOneFault(/^✗ secretsmanager: /)
    await hasOneFault(/^! secretsmanager: .*; let these in once they are there: `npx dray doctor /, {
      ...toBeMade,
      ...exists,
    })
    guardedBy(group('sg-endpoints', [rule(443, [{ cidrIp: '10.0.0.0/16' }])], []))
    assert.deepEqual(await faults(), [])
  })
})
