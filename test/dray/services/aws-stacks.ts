/** A stack as CloudFormation keeps it. */
export interface FakeStack {
  readonly status: string
  readonly outputs: Readonly<Record<string, string>>
  readonly template?: object
  /** Names of the stacks that are nested in it. */
  readonly nested?: readonly string[]
}

/** An answer of a service: its status, and the document. */
export type Answer = readonly [status: number, body: object | string]

/** DescribeStacks, GetTemplate and ListStackResources in the query protocol: forms in, XML out. */
export class AwsStacks {
  readonly stacks = new Map<string, FakeStack>()
  /** Where the stacks are. */
  account = '123456789012'
  region = 'eu-north-1'

  answer(form: URLSearchParams): Answer {
    const name = form.get('StackName') ?? ''
    const stack = this.stacks.get(name)
    if (stack === undefined) return queryError(400, 'ValidationError', `Stack with id ${name} does not exist`)
    switch (form.get('Action')) {
      case 'DescribeStacks':
        return result('DescribeStacks', this.#described(name, stack))
      case 'GetTemplate':
        return result('GetTemplate', `<TemplateBody>${escaped(JSON.stringify(stack.template ?? {}))}</TemplateBody>`)
      case 'ListStackResources':
        return result('ListStackResources', `<StackResourceSummaries>${nested(stack)}</StackResourceSummaries>`)
      default:
        return queryError(400, 'InvalidAction', `${form.get('Action')} is not known here`)
    }
  }

  #described(name: string, { status, outputs }: FakeStack): string {
    const members = Object.entries(outputs).map(
      ([key, value]) => `<member><OutputKey>${key}</OutputKey><OutputValue>${escaped(value)}</OutputValue></member>`,
    )
    const id = `arn:aws:cloudformation:${this.region}:${this.account}:stack/${name}/00000000-0000-0000-0000-000000000000`
    return `<Stacks><member><StackId>${id}</StackId><StackName>${name}</StackName><CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>${status}</StackStatus><Outputs>${members.join('')}</Outputs></member></Stacks>`
  }
}

function nested({ nested = [] }: FakeStack): string {
  return nested
    .map(
      (name) =>
        `<member><LogicalResourceId>${name}</LogicalResourceId><PhysicalResourceId>${name}</PhysicalResourceId><ResourceType>AWS::CloudFormation::Stack</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus><LastUpdatedTimestamp>2026-01-01T00:00:00Z</LastUpdatedTimestamp></member>`,
    )
    .join('')
}

/** As services with the query protocol refuse. */
export function queryError(status: number, code: string, message: string): Answer {
  return [
    status,
    `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${escaped(message)}</Message></Error></ErrorResponse>`,
  ]
}

function result(action: string, body: string): Answer {
  return [
    200,
    `<${action}Response xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><${action}Result>${body}</${action}Result></${action}Response>`,
  ]
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
