import { BlockList } from 'node:net'
import { type Checked, found } from 'dray/internal/database/health.ts'
import type { Reach } from '#dray-infra/aws/handler-access.ts'
import { stackNameOf } from '#dray-infra/aws/stack-outputs.ts'
import type { IpPermission, SecurityGroup } from '#dray-infra/remote/network-facts.ts'
import type { SeenNetwork } from './seen-network.ts'

/** Where AWS listens. */
const HTTPS = 443

const functionsOf: Readonly<Record<Reach, string>> = {
  databases: 'functions with a database',
  staging: 'transforms',
}

/** The groups that the functions stand in, and what these let out. */
export function groupsOf(seen: SeenNetwork): readonly Checked[] {
  const { environment, vpc, facts, stack, ports } = seen
  const deploy = `\`npx dray deploy ${environment.name}\``
  if (stack === 'outside') {
    const said = `${stackNameOf(environment.name)} was deployed without a network, so its functions stand outside of ${vpc.id} and reach no database in it; ${deploy} puts them there`
    return [found('security groups', 'warning', said)]
  }
  if (stack !== 'inside' || facts.groups === null) return []
  const faults = (['databases', 'staging'] as const).flatMap((reach) => groupFaults(seen, reach, deploy))
  if (faults.length > 0) return faults
  const out = [HTTPS, ...new Set(ports.values())].join(', ')
  return [found('security groups', 'ok', `functions may call the ports ${out}`)]
}

function groupFaults({ vpc, facts, groups, ports }: SeenNetwork, reach: Reach, deploy: string): readonly Checked[] {
  const id = groups[reach] ?? ''
  const group = facts.groups?.find(({ GroupId }) => GroupId === id)
  if (group === undefined) {
    const said = `the security group ${id} of ${functionsOf[reach]} is not in ${vpc.id}, so these do not start there; if infra/environments.ts names another network than before, destroy the stacks of pipelines and workflows, then ${deploy} (docs/deploy.md)`
    return [found('security groups', 'broken', said)]
  }
  const called = [
    { port: HTTPS, what: 'AWS listens', consequence: 'no function reaches state, staged rows and secrets' },
    ...[...(reach === 'databases' ? ports : [])].map(([name, port]) => ({
      port,
      what: `the database ${name} listens`,
      consequence: 'functions wait for it until they time out',
    })),
  ]
  return called
    .filter(({ port }) => !rulesFor(port, group.IpPermissionsEgress).some(leadsAnywhere))
    .map(({ port, what, consequence }) => {
      const remedy = `\`aws ec2 authorize-security-group-egress --group-id ${id} --protocol tcp --port ${port} --cidr 0.0.0.0/0\``
      const said = `the security group ${id} of ${functionsOf[reach]} lets nothing out to port ${port}, where ${what}, so ${consequence}; let them: ${remedy}`
      return found('security groups', 'broken', said)
    })
}

/** A caller that an endpoint's groups have to let in: the group of functions, and their subnets' addresses. */
export interface Caller {
  readonly group: string | null
  readonly ranges: readonly string[]
}

/** Whether one of an endpoint's groups accepts calls; a list of addresses that somebody else keeps is taken to. */
export function letsIn(groups: readonly SecurityGroup[], { group, ranges }: Caller): boolean {
  return groups
    .flatMap(({ IpPermissions }) => rulesFor(HTTPS, IpPermissions))
    .some(
      ({ UserIdGroupPairs = [], IpRanges = [], PrefixListIds = [] }) =>
        PrefixListIds.length > 0 ||
        UserIdGroupPairs.some(({ GroupId }) => GroupId === group) ||
        ranges.every((range) => IpRanges.some(({ CidrIp = '' }) => covers(CidrIp, range))),
    )
}

function rulesFor(port: number, rules: readonly IpPermission[] = []): readonly IpPermission[] {
  return rules.filter(({ IpProtocol = '', FromPort = 0, ToPort = 65_535 }) => {
    if (IpProtocol === '-1') return true
    return ['tcp', '6'].includes(IpProtocol) && FromPort <= port && port <= ToPort
  })
}

function leadsAnywhere({ IpRanges = [], UserIdGroupPairs = [], PrefixListIds = [] }: IpPermission): boolean {
  return IpRanges.length + UserIdGroupPairs.length + PrefixListIds.length > 0
}

/** Of IPv4: `10.0.0.0/16` covers `10.0.1.0/24`. */
function covers(range: string, part: string): boolean {
  const [network = '', bits = ''] = range.split('/')
  const [address = '', ownBits = ''] = part.split('/')
  const list = new BlockList()
  list.addSubnet(network, Number(bits), 'ipv4')
  return Number(bits) <= Number(ownBits) && list.check(address, 'ipv4')
}
