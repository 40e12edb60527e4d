import { type Checked, found } from 'dray/internal/database/health.ts'
import type { Reach } from '#dray-infra/aws/handler-access.ts'
import type { Route, RouteTable, RouteTableAssociation, VpcEndpoint } from '#dray-infra/remote/network-facts.ts'
import { letsIn } from './network-groups.ts'
import { isToBeMade, type SeenNetwork } from './seen-network.ts'

/** What functions in a network call; CloudWatch, X-Ray and the key are called by AWS itself, from outside of it. */
interface Service {
  /** The last part of its endpoint's name. */
  readonly name: 's3' | 'dynamodb' | 'secretsmanager'
  readonly label: string
  /** Who calls it. */
  readonly callers: readonly Reach[]
  readonly setting: 'gatewayEndpoints' | 'secretsEndpoint'
  readonly consequence: string
}

const SERVICES: readonly Service[] = [
  {
    name: 's3',
    label: 'S3',
    callers: ['databases', 'staging'],
    setting: 'gatewayEndpoints',
    consequence: 'functions wait for staged rows until they time out',
  },
  {
    name: 'dynamodb',
    label: 'DynamoDB',
    callers: ['databases'],
    setting: 'gatewayEndpoints',
    consequence: 'plan, load and commit wait for the state until they time out',
  },
  {
    name: 'secretsmanager',
    label: 'Secrets Manager',
    callers: ['databases'],
    setting: 'secretsEndpoint',
    consequence: 'plan times out with nothing in its log',
  },
]

/** How functions reach each service that they call: an endpoint, or a way out of the network. */
export function waysOf(seen: SeenNetwork): readonly Checked[] {
  return calledBy(seen).flatMap((service) => wayTo(service, seen))
}

function calledBy({ needsSecrets }: SeenNetwork): readonly Service[] {
  return SERVICES.filter(({ name }) => name !== 'secretsmanager' || needsSecrets)
}

/** Endpoints that functions find by the private names of what they call. */
export function privateEndpoints(seen: SeenNetwork): readonly VpcEndpoint[] {
  return calledBy(seen).flatMap((service) => endpointsOf(service, seen).filter(hasPrivateNames))
}

function wayTo(service: Service, seen: SeenNetwork): readonly Checked[] {
  const { facts, vpc, stack } = seen
  if (facts.endpoints === null) return []
  const own = endpointsOf(service, seen)
  const clash = clashOf(service, own, seen)
  if (clash !== null) return [clash]
  const named = own.filter(hasPrivateNames)
  // Its names lead to the endpoint from all of the network, whatever other ways there are.
  if (named.length > 0) return named.map((endpoint) => throughInterface(service, endpoint, seen))
  if (isToBeMade(stack) && vpc[service.setting] === 'create') {
    return [found(service.name, 'ok', `a deployment makes the endpoint of ${service.label}`)]
  }
  const { routeTables } = facts
  if (routeTables === null) return []
  const ways = vpc.subnets.map(({ id }) => ({ id, way: wayOfSubnet(tableOf(id, routeTables), own) }))
  const cut = ways.filter(({ way }) => way.kind !== 'there')
  if (cut.length > 0) return [withoutWay(service, own, cut, seen)]
  const through = [...new Set(ways.map(({ way }) => way.by))].join(', ')
  return [found(service.name, 'ok', `functions reach ${service.label} by ${through}`)]
}

/** Those that are at work. */
function endpointsOf({ name }: Service, { facts }: SeenNetwork): readonly VpcEndpoint[] {
  const ending = `.${facts.region}.${name}`
  return (facts.endpoints ?? []).filter(
    ({ ServiceName = '', State = '' }) => ServiceName.endsWith(ending) && State.toLowerCase() === 'available',
  )
}

function hasPrivateNames({ VpcEndpointType, PrivateDnsEnabled, DnsOptions }: VpcEndpoint): boolean {
  if (VpcEndpointType !== 'Interface') return false
  return PrivateDnsEnabled === true && DnsOptions?.PrivateDnsOnlyForInboundResolverEndpoint !== true
}

/** What a deployment would make is there already. */
function clashOf(
  { name, label, setting }: Service,
  own: readonly VpcEndpoint[],
  { vpc, stack }: SeenNetwork,
): Checked | null {
  if (!isToBeMade(stack) || vpc[setting] !== 'create') return null
  const tables = vpc.subnets.map(({ routeTable }) => routeTable)
  const there =
    setting === 'gatewayEndpoints'
      ? own.find(({ RouteTableIds = [] }) => RouteTableIds.some((id) => tables.includes(id)))
      : own.find(hasPrivateNames)
  if (there === undefined) return null
  const said = `the network has an endpoint of ${label}, ${there.VpcEndpointId}, and a deployment that makes a second one is refused; write ${setting}: 'exist' at vpc in infra/environments.ts`
  return found(name, 'broken', said)
}

function throughInterface(
  { name, label, callers, consequence }: Service,
  { VpcEndpointId: id, Groups = [] }: VpcEndpoint,
  { facts, groups, stack, environment }: SeenNetwork,
): Checked {
  const ids = Groups.map(({ GroupId }) => GroupId)
  const guards = (facts.groups ?? []).filter(({ GroupId }) => ids.includes(GroupId))
  const ranges = (facts.subnets ?? []).flatMap(({ CidrBlock }) => CidrBlock ?? [])
  const kept = callers.filter((reach) => !letsIn(guards, { group: groups[reach], ranges }))
  // Groups of another account, which shares its network, are not seen.
  if (guards.length < ids.length || kept.length === 0)
    return found(name, 'ok', `functions reach ${label} by the endpoint ${id}`)
  if (stack !== 'inside') {
    const said = `no security group of the endpoint ${id} (${ids.join(', ')}) lets in all addresses of the subnets, so functions do not reach ${label} unless it lets in their own groups, which the stack names in its outputs; let these in once they are there: \`npx dray doctor --env ${environment.name}\` then says how`
    return found(name, isToBeMade(stack) ? 'warning' : 'unknown', said)
  }
  const remedy = kept.map(
    (reach) =>
      `\`aws ec2 authorize-security-group-ingress --group-id ${ids[0]} --protocol tcp --port 443 --source-group ${groups[reach]}\``,
  )
  const said = `the security groups of the endpoint ${id} (${ids.join(', ')}) do not let in ${kept.map((reach) => groups[reach]).join(', ')} at port 443, so ${consequence}; let the functions in: ${remedy.join(', ')}`
  return found(name, 'broken', said)
}

interface Way {
  /** `elsewhere`: to another network, which may have an endpoint for all. */
  readonly kind: 'there' | 'elsewhere' | 'none'
  /** What leads there, or why nothing does. */
  readonly by: string
}

/** By an endpoint in its route table, or out of the network. */
export function wayOfSubnet(table: RouteTable | undefined, own: readonly VpcEndpoint[]): Way {
  const id = table?.RouteTableId
  const gateway = own.find(({ RouteTableIds = [] }) => id !== undefined && RouteTableIds.includes(id))
  if (gateway !== undefined) return { kind: 'there', by: `the endpoint ${gateway.VpcEndpointId}` }
  const routes = (table?.Routes ?? []).filter(({ GatewayId }) => GatewayId !== 'local')
  const out = routes.find(({ DestinationCidrBlock }) => DestinationCidrBlock === '0.0.0.0/0')
  if (out !== undefined) return wayOut(out)
  const other = routes.find((route) => route.State === 'active' && isToNetwork(route))
  return other === undefined
    ? { kind: 'none', by: `${id} has no way out` }
    : { kind: 'elsewhere', by: `${id} leads to ${hopOf(other)}` }
}

function wayOut(route: Route): Way {
  const hop = hopOf(route)
  if (route.State === 'blackhole') return { kind: 'none', by: `its way out, ${hop}, is not there any more` }
  if (hop.startsWith('igw-'))
    return { kind: 'none', by: `${hop} is a way out for public addresses alone, which functions have not` }
  return { kind: 'there', by: hop }
}

function hopOf(route: Route): string {
  const { NatGatewayId, TransitGatewayId, VpcPeeringConnectionId, NetworkInterfaceId, InstanceId, GatewayId } = route
  const hop = NatGatewayId ?? TransitGatewayId ?? VpcPeeringConnectionId ?? InstanceId ?? NetworkInterfaceId
  return hop ?? route.CoreNetworkArn ?? GatewayId ?? route.LocalGatewayId ?? 'a gateway'
}

function isToNetwork({ TransitGatewayId, VpcPeeringConnectionId, CoreNetworkArn, GatewayId = '' }: Route): boolean {
  return [TransitGatewayId, VpcPeeringConnectionId, CoreNetworkArn].some(Boolean) || GatewayId.startsWith('vgw-')
}

/** That of a subnet, or the network's main one. */
export function tableOf(subnet: string, tables: readonly RouteTable[]): RouteTable | undefined {
  const of = (fits: (association: RouteTableAssociation) => boolean) =>
    tables.find(({ Associations = [] }) => Associations.some(fits))
  return of(({ SubnetId }) => SubnetId === subnet) ?? of(({ Main }) => Main === true)
}

/** What is said where a service is not reached. */
function withoutWay(
  service: Service,
  own: readonly VpcEndpoint[],
  cut: readonly { readonly id: string; readonly way: Way }[],
  seen: SeenNetwork,
): Checked {
  const { label, name, consequence } = service
  const where = cut.map(({ id, way }) => `${id}: ${way.by}`).join('; ')
  const nameless = own.find(({ VpcEndpointType }) => VpcEndpointType === 'Interface')
  const remedy = remedyOf(service, own, cut, seen)
  if (nameless !== undefined) {
    const said = `the endpoint ${nameless.VpcEndpointId} of ${label} has no private name, and there is no other way to it (${where}), so ${consequence}, unless a zone of your own names it; ${remedy}`
    return found(name, 'warning', said)
  }
  const said = `no endpoint of ${label} is seen in the network, nor a way out (${where}), so ${consequence}`
  if (!mayBeUnseen(service, cut, seen)) return found(name, 'broken', `${said}; ${remedy}`)
  return found(
    name,
    'unknown',
    `${said}, unless what is not seen from here leads to it; if runs do time out, ${remedy}`,
  )
}

/** Another network may have an endpoint for all, and a stack that could not be read may be going to make one. */
function mayBeUnseen({ setting }: Service, cut: readonly { readonly way: Way }[], seen: SeenNetwork): boolean {
  const makesOne = seen.stack === 'unknown' && seen.vpc[setting] === 'create'
  return makesOne || isOfOthers(seen) || cut.every(({ way }) => way.kind === 'elsewhere')
}

/** A network that another account shares keeps its endpoints to itself. */
function isOfOthers({ facts, environment, groups }: SeenNetwork): boolean {
  const own = facts.groups?.find(({ GroupId }) => GroupId === groups.databases)?.OwnerId ?? environment.account
  const owner = facts.vpcs?.[0]?.OwnerId
  return own !== undefined && owner !== undefined && own !== owner
}

function remedyOf(
  { name, setting }: Service,
  own: readonly VpcEndpoint[],
  cut: readonly { readonly id: string }[],
  { vpc, facts, environment }: SeenNetwork,
): string {
  const isGateway = setting === 'gatewayEndpoints'
  const kind = isGateway ? 'Gateway' : 'Interface'
  const there = own.find(({ VpcEndpointType }) => VpcEndpointType === kind)
  const subnets = cut.map(({ id }) => id)
  const tables = [...new Set(subnets.map((id) => tableOf(id, facts.routeTables ?? [])?.RouteTableId))].join(' ')
  if (there !== undefined) {
    const change = isGateway ? `--add-route-table-ids ${tables}` : '--private-dns-enabled'
    const command = `\`aws ec2 modify-vpc-endpoint --vpc-endpoint-id ${there.VpcEndpointId} ${change}\``
    return isGateway ? `let ${there.VpcEndpointId} serve them: ${command}` : `give it one: ${command}`
  }
  const hasOne = (facts.endpoints ?? []).some(({ VpcEndpointType }) => VpcEndpointType === kind)
  if (vpc[setting] === 'exist' && !(isGateway && hasOne)) {
    return `write ${setting}: 'create' at vpc in infra/environments.ts, and \`npx dray deploy ${environment.name}\``
  }
  const served = isGateway ? `--route-table-ids ${tables}` : `--subnet-ids ${subnets.join(' ')} --private-dns-enabled`
  return `make one: \`aws ec2 create-vpc-endpoint --vpc-id ${vpc.id} --vpc-endpoint-type ${kind} --service-name com.amazonaws.${facts.region}.${name} ${served}\``
}
