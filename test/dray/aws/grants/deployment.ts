import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Statement } from './evaluate.ts'

/*
 * What synthesized templates grant, with every reference resolved. What gets its name at a deployment alone is called
 * after its logical id: `<StagingBucket>`.
 */

const PARTITION = 'aws'
export const REGION = 'eu-west-1'
export const ACCOUNT = '000000000000'

// biome-ignore lint/suspicious/noExplicitAny: a template is JSON of a thousand shapes.
type Value = any

interface Resource {
  readonly type: string
  readonly properties: Value
  /** `<StagingBucket>`, or how its template calls it. */
  readonly name: Value
  readonly scope: Scope
}

type Scope = ReadonlyMap<string, Resource>

/** A role, or the policies for people. */
export interface Grantee {
  /** `plan`, `extract-shop`, `everything_workflow_start`, `people`. */
  readonly name: string
  readonly arn: string
  readonly statements: readonly Statement[]
}

export interface Deployment {
  readonly grantees: readonly Grantee[]
  /** Of the policies for people, the one for those who ask no database. */
  readonly operator: readonly Statement[]
  /** Statements of resources' own policies, by the ARN of the resource. */
  readonly policies: ReadonlyMap<string, readonly Statement[]>
  /** The ARN of the key with which a bucket or a topic is encrypted, by its ARN. */
  readonly keys: ReadonlyMap<string, string>
}

/** The policies for people, which nothing in the templates has. */
export const PEOPLE = 'people'
const PERSON = `arn:${PARTITION}:iam::${ACCOUNT}:user/person`

/** What a resource is called that gets its name when it is deployed: by its nested stack and its logical id. */
export function placeholderName(stack: string, logicalId: string): string {
  const nested = /([A-Z]\w*?)(?:[0-9A-F]{8}\.nested$|NestedStack)/.exec(
    stack.replace(/^Draydev(pipelines|workflows)/, ''),
  )?.[1]
  const own = logicalId.replace(/[0-9A-F]{8}$/, '')
  return `<${nested === undefined ? own : `${nested}.${own}`}>`
}

/** Reads the templates of the environment `dev` from the folder that they were synthesized into. */
export function readDeployment(folder: string): Deployment {
  const files = readdirSync(folder).filter((file) => file.endsWith('.template.json'))
  const templates = files.map((file) => [file, JSON.parse(readFileSync(join(folder, file), 'utf8'))] as const)
  const exported = new Map<string, () => Value>()
  const resolver = new Resolver(exported)
  const all: Resource[] = []
  for (const [file, template] of templates) {
    const scope = new Map<string, Resource>()
    for (const [id, { Type, Properties = {} }] of Object.entries<Value>(template.Resources)) {
      const given = nameOf(Properties)
      const name = placeholderName(file.replace(/\.template\.json$/, ''), id)
      scope.set(id, { type: Type, properties: Properties, name: given ?? name, scope })
    }
    all.push(...scope.values())
    for (const { Export, Value: value } of Object.values<Value>(template.Outputs ?? {})) {
      if (Export) exported.set(resolver.text(Export.Name, scope), () => resolver.text(value, scope))
    }
  }
  return deploymentOf(all, resolver)
}

const NAMES = ['RoleName', 'FunctionName', 'StateMachineName', 'TopicName', 'LogGroupName']

function nameOf(properties: Value): Value {
  return NAMES.map((key) => properties[key]).find((name) => name !== undefined)
}

class Resolver {
  readonly #exported: ReadonlyMap<string, () => Value>

  constructor(exported: ReadonlyMap<string, () => Value>) {
    this.#exported = exported
  }

  /** A value as text. */
  text(value: Value, scope: Scope): string {
    const resolved = this.value(value, scope)
    if (typeof resolved === 'string') return resolved
    throw new Error(`${JSON.stringify(value)} is no text, but ${JSON.stringify(resolved)}`)
  }

  /** A value, with all references in it resolved. */
  value(value: Value, scope: Scope): Value {
    if (Array.isArray(value)) return value.map((one) => this.value(one, scope))
    if (typeof value !== 'object' || value === null) return value
    const [[kind, given] = ['', null], ...others] = Object.entries<Value>(value)
    if (others.length === 0 && (kind === 'Ref' || kind.startsWith('Fn::'))) return this.#reference(kind, given, scope)
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, this.value(one, scope)]))
  }

  #reference(kind: string, given: Value, scope: Scope): Value {
    switch (kind) {
      case 'Ref':
        return PSEUDO[given] ?? this.#refOf(found(scope, given))
      case 'Fn::GetAtt':
        if (given[1] === 'Arn') return this.arn(found(scope, given[0]))
        if (given[1] === 'Name') return this.text(found(scope, given[0]).name, scope)
        break
      case 'Fn::Join':
        return given[1].map((part: Value) => this.text(part, scope)).join(given[0])
      case 'Fn::ImportValue': {
        const name = this.text(given, scope)
        const value = this.#exported.get(name)
        if (value) return value()
        throw new Error(`No stack exports ${name}`)
      }
    }
    throw new Error(`${kind} of ${JSON.stringify(given)} is not known here`)
  }

  #refOf(resource: Resource): string {
    const isByArn = ['AWS::StepFunctions::StateMachine', 'AWS::SNS::Topic'].includes(resource.type)
    return isByArn ? this.arn(resource) : this.text(resource.name, resource.scope)
  }

  arn(resource: Resource): string {
    const name = this.text(resource.name, resource.scope)
    const of = (service: string, rest: string) => `arn:${PARTITION}:${service}:${REGION}:${ACCOUNT}:${rest}`
    switch (resource.type) {
      case 'AWS::S3::Bucket':
        return `arn:${PARTITION}:s3:::${name}`
      case 'AWS::IAM::Role':
        return `arn:${PARTITION}:iam::${ACCOUNT}:role/${name}`
      case 'AWS::DynamoDB::GlobalTable':
        return of('dynamodb', `table/${name}`)
      case 'AWS::KMS::Key':
        return of('kms', `key/${name}`)
      case 'AWS::SQS::Queue':
        return of('sqs', name)
      case 'AWS::SNS::Topic':
        return of('sns', name)
      case 'AWS::StepFunctions::StateMachine':
        return of('states', `stateMachine:${name}`)
      case 'AWS::Events::Rule':
        return of('events', `rule/${name}`)
      default:
        throw new Error(`The ARN of ${resource.type} is not known here`)
    }
  }
}

const PSEUDO: Readonly<Record<string, string>> = {
  'AWS::Partition': PARTITION,
  'AWS::Region': REGION,
  'AWS::AccountId': ACCOUNT,
  'AWS::URLSuffix': 'amazonaws.com',
}

function found(scope: Scope, id: string): Resource {
  const resource = scope.get(id)
  if (resource) return resource
  throw new Error(`The template has no ${id}`)
}

function deploymentOf(resources: readonly Resource[], resolver: Resolver): Deployment {
  const ofType = (type: string) => resources.filter((resource) => resource.type === type)
  const statementsOf = ({ properties, scope }: Resource): Statement[] =>
    resolver.value(properties.PolicyDocument.Statement, scope)
  const forPeople = ofType('AWS::IAM::ManagedPolicy')
  const people = forPeople.flatMap(statementsOf)
  const isOperator = ({ properties, scope }: Resource) =>
    resolver.text(properties.ManagedPolicyName, scope).includes('_operator_')
  const grantees: Grantee[] = ofType('AWS::IAM::Role').map((role) => {
    const statements = ofType('AWS::IAM::Policy')
      .filter(({ properties, scope }) => properties.Roles.some(({ Ref }: Value) => scope.get(Ref) === role))
      .flatMap(statementsOf)
    const arn = resolver.arn(role)
    return { name: granteeName(arn, functionsOf(role, resources, resolver)), arn, statements }
  })
  return {
    grantees: [...grantees, { name: PEOPLE, arn: PERSON, statements: people }],
    operator: forPeople.filter(isOperator).flatMap(statementsOf),
    policies: policiesOf(ofType, resolver),
    keys: keysOf(ofType, resolver),
  }
}

type OfType = (type: string) => readonly Resource[]

function policiesOf(ofType: OfType, resolver: Resolver): Map<string, Statement[]> {
  const policies = new Map<string, Statement[]>()
  for (const [type, of] of [
    ['AWS::S3::BucketPolicy', 'Bucket'],
    ['AWS::SQS::QueuePolicy', 'Queues'],
    ['AWS::SNS::TopicPolicy', 'Topics'],
  ] as const) {
    for (const { properties, scope } of ofType(type)) {
      const statements = resolver.value(properties.PolicyDocument.Statement, scope)
      for (const { Ref } of [properties[of]].flat()) policies.set(resolver.arn(found(scope, Ref)), statements)
    }
  }
  for (const key of ofType('AWS::KMS::Key')) {
    policies.set(resolver.arn(key), resolver.value(key.properties.KeyPolicy.Statement, key.scope))
  }
  return policies
}

function keysOf(ofType: OfType, resolver: Resolver): Map<string, string> {
  const keys = new Map<string, string>()
  for (const resource of [...ofType('AWS::S3::Bucket'), ...ofType('AWS::SNS::Topic')]) {
    const { BucketEncryption, KmsMasterKeyId } = resource.properties
    const [rule] = BucketEncryption?.ServerSideEncryptionConfiguration ?? []
    const key = KmsMasterKeyId ?? rule?.ServerSideEncryptionByDefault?.KMSMasterKeyID
    if (key !== undefined) keys.set(resolver.arn(resource), resolver.text(key, resource.scope))
  }
  return keys
}

/** The attributes of the state table that a statement names. */
export function attributesOf({ grantees }: Deployment): string[] {
  const named = grantees.flatMap(({ statements }) =>
    statements.flatMap(({ Condition = {} }) =>
      Object.values(Condition).flatMap((keys) => keys['dynamodb:Attributes'] ?? []),
    ),
  )
  return [...new Set(named.flat())].sort()
}

/** The functions of a role, by their names; those of a shared one lie in other templates. */
function functionsOf(role: Resource, resources: readonly Resource[], resolver: Resolver): string[] {
  return resources.flatMap(({ type, name, properties, scope }) => {
    const isOfRole = type === 'AWS::Lambda::Function' && scope === role.scope && properties.Role?.['Fn::GetAtt']
    return isOfRole && scope.get(isOfRole[0]) === role ? [resolver.text(name, scope)] : []
  })
}

/** A shared role's own name without environment and region; of another one the name of its only function. */
export function granteeName(role: string, functions: readonly string[]): string {
  const name = role.slice(role.lastIndexOf('/') + 1)
  const shared = /^Dray-dev_(.+)_[a-z]+-[a-z]+-\d$/.exec(name)?.[1]
  return shared ?? functions[0]?.replace(/^Dray-dev_/, '') ?? name
}
