import assert from 'node:assert/strict'
import { after, before, beforeEach } from 'node:test'
import type { Checked } from 'dray/internal/database/health.ts'
import type { EnvironmentOptions } from 'dray-infra'
import { networkSection } from 'dray-infra/internal/doctor/network.ts'
import type { SeenNetwork } from 'dray-infra/internal/doctor/seen-network.ts'
import { environmentOf } from 'dray-infra/internal/project/environment.ts'
import { networkFacts } from 'dray-infra/internal/remote/network-facts.ts'
import { AwsApi } from '#test/services/aws-api.ts'

export const VPC = 'vpc-0123456789abcdef0'
export const SUBNETS = ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'] as const
export const TABLES = ['rtb-0123456789abcdef0', 'rtb-0123456789abcdef1'] as const
export const GROUPS = { databases: 'sg-databases', staging: 'sg-staging' } as const

/** Of two zones, with databases in it. */
export const closed: EnvironmentOptions = {
  vpc: {
    id: VPC,
    subnets: [
      { id: SUBNETS[0], availabilityZone: 'eu-north-1a', routeTable: TABLES[0] },
      { id: SUBNETS[1], availabilityZone: 'eu-north-1b', routeTable: TABLES[1] },
    ],
  },
  databases: {
    src: { engine: 'mysql', secret: '/dray/dev/src/url', tls: 'by-url', authorities: 'public' },
    dst: { engine: 'postgres', secret: '/dray/dev/dst/url', tls: 'by-url', authorities: 'public' },
  },
  expected: { nightly: { successWithin: '26h' } },
}

const everywhere = [{ cidrIp: '0.0.0.0/0' }]

export function rule(port: number, ranges: readonly { readonly cidrIp: string }[] = everywhere) {
  return { ipProtocol: 'tcp', fromPort: port, toPort: port, ipRanges: ranges }
}

export function routeTable(id: string, subnet: string, ...routes: readonly Readonly<Record<string, string>>[]) {
  const local = { destinationCidrBlock: '10.0.0.0/16', gatewayId: 'local', state: 'active' }
  return {
    routeTableId: id,
    vpcId: VPC,
    routeSet: [local, ...routes.map((route) => ({ state: 'active', ...route }))],
    associationSet: [{ routeTableAssociationId: `rtbassoc-${id}`, routeTableId: id, subnetId: subnet, main: false }],
  }
}

export function gateway(service: string, ...tables: readonly string[]) {
  return {
    vpcEndpointId: `vpce-${service}`,
    vpcEndpointType: 'Gateway',
    vpcId: VPC,
    serviceName: `com.amazonaws.eu-north-1.${service}`,
    state: 'available',
    routeTableIdSet: tables,
    privateDnsEnabled: false,
  }
}

export function interfaceOf(service: string, privateDnsEnabled = true) {
  return {
    vpcEndpointId: `vpce-${service}`,
    vpcEndpointType: 'Interface',
    vpcId: VPC,
    serviceName: `com.amazonaws.eu-north-1.${service}`,
    state: 'available',
    groupSet: [{ groupId: 'sg-endpoints', groupName: 'endpoints' }],
    privateDnsEnabled,
  }
}

export function subnet(index: 0 | 1, availableIpAddressCount: number, vpcId: string = VPC) {
  return { subnetId: SUBNETS[index], vpcId, cidrBlock: `10.0.${index}.0/24`, availableIpAddressCount }
}

export function group(groupId: string, ipPermissions: object, ipPermissionsEgress: object) {
  return { groupId, ownerId: '123456789012', vpcId: VPC, ipPermissions, ipPermissionsEgress } as never
}

export const functionGroups = {
  databases: (...ports: readonly number[]) =>
    group(
      GROUPS.databases,
      [],
      ports.map((port) => rule(port)),
    ),
  staging: (...ports: readonly number[]) =>
    group(
      GROUPS.staging,
      [],
      ports.map((port) => rule(port)),
    ),
  /** Lets in the functions of `groups`. */
  endpoints: (...groups: readonly string[]) =>
    group('sg-endpoints', [{ ...rule(443, []), groups: groups.map((groupId) => ({ groupId })) }], []),
}

/** As a deployment leaves it: endpoints and groups are made, and there is no way out. */
export function build({ network }: AwsApi): void {
  const { described, attributes } = network
  for (const attribute of attributes.keys()) attributes.set(attribute, true)
  described.clear()
  described.set('DescribeVpcs', [{ vpcId: VPC, ownerId: '123456789012', state: 'available' }])
  described.set('DescribeSubnets', [subnet(0, 251), subnet(1, 120)])
  described.set('DescribeRouteTables', [routeTable(TABLES[0], SUBNETS[0]), routeTable(TABLES[1], SUBNETS[1])])
  described.set('DescribeVpcEndpoints', [
    gateway('s3', ...TABLES),
    gateway('dynamodb', ...TABLES),
    interfaceOf('secretsmanager'),
  ])
  described.set('DescribeSecurityGroups', [
    functionGroups.databases(443, 3306, 5432),
    functionGroups.staging(443),
    functionGroups.endpoints(GROUPS.databases),
  ])
}

/** An EC2 that describes the network anew for each test of the file. */
export function serveNetwork(): AwsApi {
  const aws = new AwsApi()
  before(async () => {
    const credentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_REGION: 'eu-north-1' }
    Object.assign(process.env, credentials, { AWS_ENDPOINT_URL: await aws.start() })
  })
  after(() => aws.stop())
  beforeEach(() => {
    aws.refusals.clear()
    build(aws)
  })
  return aws
}

export type Change = Partial<Pick<SeenNetwork, 'stack' | 'groups' | 'ports' | 'needsSecrets'>> & {
  readonly vpc?: object
}

export const nowhere = { databases: null, staging: null }
export const toBeMade: Change = { stack: 'absent', groups: nowhere }
export const exists: Change = { vpc: { gatewayEndpoints: 'exist', secretsEndpoint: 'exist' } }

/** What is found of the network, as the served EC2 describes it. */
export async function checks({ vpc: settings, ...change }: Change = {}): Promise<readonly Checked[]> {
  const options: EnvironmentOptions = { ...closed, vpc: { ...(closed.vpc as object), ...settings } as never }
  const environment = environmentOf('dev', options)
  const vpc = environment.vpc
  assert.ok(vpc)
  const seen: SeenNetwork = {
    environment,
    vpc,
    facts: await networkFacts(vpc),
    stack: 'inside',
    groups: GROUPS,
    ports: new Map([
      ['src', 3306],
      ['dst', 5432],
    ]),
    needsSecrets: true,
    ...change,
  }
  return networkSection(seen).checks
}

/** What is not fine: `✗ s3: …`. */
export async function faults(change: Change = {}): Promise<string[]> {
  const marks = { broken: '✗', warning: '!', unknown: '?', ok: '✓' }
  const all = await checks(change)
  return all
    .filter(({ verdict }) => verdict !== 'ok')
    .map(({ check, verdict, said }) => `${marks[verdict]} ${check}: ${said}`)
}

export async function hasOneFault(line: RegExp, change: Change = {}): Promise<void> {
  const [fault = '', ...others] = await faults(change)
  assert.match(fault, line)
  assert.deepEqual(others, [])
}
