import { type Checked, found } from 'dray/internal/database/health.ts'
import type { DnsAttribute, Subnet } from '#dray-infra/remote/network-facts.ts'
import type { Section } from './diagnosis.ts'
import { groupsOf } from './network-groups.ts'
import { privateEndpoints, tableOf, wayOfSubnet, waysOf } from './network-ways.ts'
import { isToBeMade, type SeenNetwork } from './seen-network.ts'

/** An interface for each of the two groups of functions; an endpoint of the stack's has one, too. */
const FUNCTION_ADDRESSES = 2
/** Fewer are said: Lambda makes more interfaces in a subnet as connections grow. */
const FEW_ADDRESSES = 8

const REFUSED = /AccessDenied|UnauthorizedOperation/

/** What keeps functions in a network from reaching what they call. */
export function networkSection(seen: SeenNetwork): Section {
  const { vpc, facts, environment } = seen
  const subject = `network ${vpc.id}`
  if (facts.vpcs?.length === 0) {
    const where = facts.region === null ? '' : ` in ${facts.region}`
    const said = `there is no network ${vpc.id}${where} in the account of these credentials, so ${environment.name} cannot be deployed, and functions that stood in it do not start; correct vpc.id in infra/environments.ts, or set AWS_PROFILE and AWS_REGION to where it is`
    return { subject, checks: [found('vpc', 'broken', said)] }
  }
  const there = facts.vpcs === null ? [] : [found('vpc', 'ok', 'the network is there')]
  const checks = [...there, ...dnsOf(seen), ...subnetsOf(seen), ...routesOf(seen), ...groupsOf(seen), ...waysOf(seen)]
  return { subject, checks: [...checks, ...unreadOf(seen)] }
}

/** All in one line: one permission mostly has, or lacks, them all. */
function unreadOf({ facts: { unread }, environment }: SeenNetwork): readonly Checked[] {
  if (unread.length === 0) return []
  const actions = [...new Set(unread.map(({ action }) => action))].toSorted().join(', ')
  const reasons = [...new Set(unread.map(({ why }) => why))].join(', ')
  const isRefused = unread.every(({ why }) => REFUSED.test(why))
  const remedy = isRefused ? `${actions} would show the rest` : 'look again from where EC2 answers'
  const said = `not all of the network could be read (${reasons}), so it was not held against what the functions of ${environment.name} call; ${remedy}`
  return [found('network', 'unknown', said)]
}

function dnsOf(seen: SeenNetwork): readonly Checked[] {
  const { vpc, facts, stack, needsSecrets } = seen
  if (facts.dns === null) return []
  const entries = Object.entries(facts.dns) as [DnsAttribute, boolean][]
  const off = entries.filter(([, isOn]) => !isOn).map(([attribute]) => attribute)
  const turnOn = off.map(
    (attribute) =>
      `\`aws ec2 modify-vpc-attribute --vpc-id ${vpc.id} --${attribute === 'enableDnsSupport' ? 'enable-dns-support' : 'enable-dns-hostnames'}\``,
  )
  const areOff = `${off.join(' and ')} ${off.length === 1 ? 'is' : 'are'} off`
  const makesPrivateName = needsSecrets && vpc.secretsEndpoint === 'create'
  if (off.length > 0 && makesPrivateName && isToBeMade(stack)) {
    const said = `${areOff}, and the endpoint of Secrets Manager has a private name, so a deployment is refused; turn on what is off: ${turnOn.join(', ')}`
    return [found('dns', 'broken', said)]
  }
  const named = privateEndpoints(seen).map(({ VpcEndpointId }) => VpcEndpointId)
  if (off.length > 0 && named.length > 0) {
    const said = `${areOff}, so the private names of ${named.join(', ')} are not resolved, and functions wait for answers until they time out; turn on what is off: ${turnOn.join(', ')}`
    return [found('dns', 'broken', said)]
  }
  if (!facts.dns.enableDnsSupport) {
    const said = `enableDnsSupport is off, so functions find neither S3 nor DynamoDB, unless a server of your own resolves names there; turn it on: ${turnOn[0]}`
    return [found('dns', 'warning', said)]
  }
  return [found('dns', 'ok', 'names are resolved as its endpoints need it')]
}

function subnetsOf(seen: SeenNetwork): readonly Checked[] {
  const { vpc, facts } = seen
  if (facts.subnets === null) return []
  const known = new Map(facts.subnets.map((subnet) => [subnet.SubnetId, subnet]))
  const faults = vpc.subnets.flatMap(({ id }) => subnetFault(seen, id, known.get(id)))
  if (faults.length > 0) return faults
  const free = vpc.subnets.map(({ id }) => `${id} has ${known.get(id)?.AvailableIpAddressCount} free addresses`)
  return [found('subnets', 'ok', free.join(', '))]
}

function subnetFault(
  { vpc, environment: { name }, stack, needsSecrets }: SeenNetwork,
  id: string,
  subnet: Subnet | undefined,
): readonly Checked[] {
  const remedy = 'correct vpc.subnets in infra/environments.ts and deploy'
  if (subnet === undefined) {
    const said = `there is no subnet ${id}, so ${name} cannot be deployed, and no function starts in it; ${remedy}`
    return [found('subnets', 'broken', said)]
  }
  if (subnet.VpcId !== vpc.id) {
    const said = `${id} is a subnet of ${subnet.VpcId}, not of ${vpc.id}, so ${name} cannot be deployed; ${remedy}`
    return [found('subnets', 'broken', said)]
  }
  const { AvailableIpAddressCount: free, CidrBlock: range } = subnet
  if (free === undefined || free >= FEW_ADDRESSES) return []
  const few = `${id} (${range}) has ${free === 1 ? 'one free address' : `${free} free addresses`}`
  const widen = 'free some, or name a larger subnet in infra/environments.ts and deploy'
  const needed = FUNCTION_ADDRESSES + (needsSecrets && vpc.secretsEndpoint === 'create' ? 1 : 0)
  if (isToBeMade(stack) && free < needed) {
    const said = `${few}, and what is deployed needs ${needed}, so a deployment is refused; ${widen}`
    return [found('subnets', 'broken', said)]
  }
  const said = `${few}, and Lambda takes more as functions open more connections: where none is left, calls fail with SubnetIPAddressLimitReached; ${widen}`
  return [found('subnets', 'warning', said)]
}

/** The endpoints that a deployment makes are put into the tables that the settings name. */
function routesOf({ vpc, facts, stack }: SeenNetwork): readonly Checked[] {
  const { routeTables } = facts
  if (routeTables === null || vpc.gatewayEndpoints === 'exist') return []
  return vpc.subnets.flatMap(({ id, routeTable }) => {
    const table = tableOf(id, routeTables)
    if (table === undefined || table.RouteTableId === routeTable) return []
    // What is deployed is held against its own endpoints.
    const verdict = isToBeMade(stack) && wayOfSubnet(table, []).kind === 'none' ? 'broken' : 'warning'
    const said = `${id} has the route table ${table.RouteTableId}, and infra/environments.ts says ${routeTable}, so the endpoints of S3 and DynamoDB that a deployment makes do not serve its functions; correct vpc.subnets there and deploy`
    return [found('routes', verdict, said)]
  })
}
