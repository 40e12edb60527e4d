import type { RouteTable, SecurityGroup, Subnet, Vpc, VpcEndpoint } from '@aws-sdk/client-ec2'
import type { NetworkSettings } from '#dray-infra/project/environment.ts'

/** As EC2 describes them. */
export type {
  IpPermission,
  Route,
  RouteTable,
  RouteTableAssociation,
  SecurityGroup,
  Subnet,
  VpcEndpoint,
} from '@aws-sdk/client-ec2'

/** Milliseconds that EC2 has for all answers: a host in a closed network may have no way to it. */
const LONGEST = 20_000

/** What EC2 says of an environment's network; null for a part that could not be read. */
export interface NetworkFacts {
  readonly region: string | null
  /** Empty where there is no such network. */
  readonly vpcs: readonly Vpc[] | null
  readonly dns: Readonly<Record<DnsAttribute, boolean>> | null
  /** Those of the settings that are there. */
  readonly subnets: readonly Subnet[] | null
  /** All of the network, as the following. */
  readonly routeTables: readonly RouteTable[] | null
  readonly endpoints: readonly VpcEndpoint[] | null
  readonly groups: readonly SecurityGroup[] | null
  readonly unread: readonly Unread[]
}

export type DnsAttribute = 'enableDnsSupport' | 'enableDnsHostnames'

interface Unread {
  /** `ec2:DescribeVpcs` */
  readonly action: string
  readonly why: string
}

/** Asks all at once, by the credentials of who runs the command; never throws. EC2's client is big, and loaded here. */
export async function networkFacts({ id, subnets }: NetworkSettings): Promise<NetworkFacts> {
  const ec2 = await import('@aws-sdk/client-ec2')
  const client = new ec2.EC2Client({ maxAttempts: 2 })
  const within = { abortSignal: AbortSignal.timeout(LONGEST) }
  const unread: Unread[] = []
  const read = async <T>(action: string, answer: () => Promise<T>): Promise<T | null> => {
    try {
      return await answer()
    } catch (error) {
      unread.push({ action: `ec2:${action}`, why: whyOf(error as Error) })
      return null
    }
  }
  const filtered = (filter: string, ...values: readonly string[]) => ({
    Filters: [{ Name: filter, Values: [...values] }],
  })
  const isOn = async (Attribute: DnsAttribute) => {
    const { EnableDnsSupport, EnableDnsHostnames } = await client.send(
      new ec2.DescribeVpcAttributeCommand({ VpcId: id, Attribute }),
      within,
    )
    return (EnableDnsSupport ?? EnableDnsHostnames)?.Value === true
  }
  const ofVpc = filtered('vpc-id', id)
  try {
    const [region, vpcs, dns, ownSubnets, routeTables, endpoints, groups] = await Promise.all([
      client.config.region().catch(() => null),
      read('DescribeVpcs', () => all(ec2.paginateDescribeVpcs({ client }, ofVpc, within), (page) => page.Vpcs)),
      read('DescribeVpcAttribute', async () => {
        const [enableDnsSupport, enableDnsHostnames] = await Promise.all([
          isOn('enableDnsSupport'),
          isOn('enableDnsHostnames'),
        ])
        return { enableDnsSupport, enableDnsHostnames }
      }),
      read('DescribeSubnets', () =>
        all(
          ec2.paginateDescribeSubnets({ client }, filtered('subnet-id', ...subnets.map((subnet) => subnet.id)), within),
          (page) => page.Subnets,
        ),
      ),
      read('DescribeRouteTables', () =>
        all(ec2.paginateDescribeRouteTables({ client }, ofVpc, within), (page) => page.RouteTables),
      ),
      read('DescribeVpcEndpoints', () =>
        all(ec2.paginateDescribeVpcEndpoints({ client }, ofVpc, within), (page) => page.VpcEndpoints),
      ),
      read('DescribeSecurityGroups', () =>
        all(ec2.paginateDescribeSecurityGroups({ client }, ofVpc, within), (page) => page.SecurityGroups),
      ),
    ])
    return { region, vpcs, dns, subnets: ownSubnets, routeTables, endpoints, groups, unread }
  } finally {
    client.destroy()
  }
}

async function all<Page, Item>(
  pages: AsyncIterable<Page>,
  itemsOf: (page: Page) => readonly Item[] | undefined,
): Promise<readonly Item[]> {
  const read = await Array.fromAsync(pages)
  return read.flatMap((page) => itemsOf(page) ?? [])
}

function whyOf({ name, message }: Error): string {
  if (/^(AbortError|TimeoutError)$/.test(name)) return `no answer within ${LONGEST / 1000} s`
  return name === 'Error' ? message : name
}
