import type { Answer } from './aws-stacks.ts'

/** As EC2 writes it: names in lower camel case, lists of items. */
type Wire = string | number | boolean | readonly Wire[] | { readonly [name: string]: Wire }
type Described = { readonly [name: string]: Wire }

/** Where each operation's answer has what is listed. */
const SETS: Readonly<Record<string, string>> = {
  DescribeVpcs: 'vpcSet',
  DescribeSubnets: 'subnetSet',
  DescribeRouteTables: 'routeTableSet',
  DescribeVpcEndpoints: 'vpcEndpointSet',
  DescribeSecurityGroups: 'securityGroupInfo',
}

/**
 * What EC2 says of networks, in its own query protocol: forms in, XML out. A filter compares a field of the same name,
 * and one that nothing fits gives an empty list.
 */
export class AwsNetwork {
  /** By operation; what each network, subnet and their like says of itself. */
  readonly described = new Map<string, readonly Described[]>()
  readonly attributes = new Map([
    ['enableDnsSupport', true],
    ['enableDnsHostnames', true],
  ])

  /** Null for an operation of another service. */
  answer(form: URLSearchParams): Answer | null {
    const action = form.get('Action') ?? ''
    if (action === 'DescribeVpcAttribute') {
      const attribute = form.get('Attribute') ?? ''
      return answered(action, {
        vpcId: form.get('VpcId') ?? '',
        [attribute]: { value: this.attributes.get(attribute) ?? false },
      })
    }
    const set = SETS[action]
    if (set === undefined) return null
    const field = camelCase(form.get('Filter.1.Name') ?? '')
    const values = [...form].filter(([name]) => name.startsWith('Filter.1.Value.')).map(([, value]) => value)
    const fitting = (this.described.get(action) ?? []).filter((one) => values.includes(String(one[field])))
    return answered(action, { [set]: fitting })
  }
}

/** As EC2 refuses, which is otherwise than other services with the query protocol. */
export function ec2Error(code: string, message: string): Answer {
  const error = `<Error><Code>${code}</Code><Message>${message}</Message></Error>`
  return [403, `<Response><Errors>${error}</Errors><RequestID>0</RequestID></Response>`]
}

export function isOfEc2(action: string): boolean {
  return action in SETS || action === 'DescribeVpcAttribute'
}

function answered(action: string, body: Wire): Answer {
  return [200, `<${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">${xml(body)}</${action}Response>`]
}

function xml(value: Wire): string {
  if (Array.isArray(value)) return value.map((item) => `<item>${xml(item)}</item>`).join('')
  if (typeof value !== 'object') return String(value)
  return Object.entries(value)
    .map(([name, inner]) => `<${name}>${xml(inner)}</${name}>`)
    .join('')
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
