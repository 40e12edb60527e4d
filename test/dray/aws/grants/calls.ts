import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ACCOUNT, type Deployment, type Grantee, granteeName, PEOPLE } from './deployment.ts'
import { type Context, evaluate, type Request, type Verdict } from './evaluate.ts'

/*
 * Calls of AWS that functions, state machines and people have made in test/dray/cloud/grants.test.ts, each once, with
 * `<run>` and its like for what is another one in each run.
 */

/** A call as it is recorded: one line. */
export interface Call {
  /** Whose it is: the name of a `Grantee`. */
  readonly by: string
  readonly action: string
  readonly resource: string
  /** What conditions look at. */
  readonly context: Context
}

/** What is known of a call before it is told from others. */
export interface RawCall {
  readonly action: string
  readonly resource: string
  readonly caller: string
  readonly context: Readonly<Record<string, unknown>>
}

/** The keys of conditions that a record keeps; each other one would be the same in all calls. */
const KEPT = ['s3:prefix', 'dynamodb:LeadingKeys', 'events:source']

/**
 * The calls of an environment, each once and in order. `names` has the placeholder of what was named when it was
 * deployed, `pipelines` the names of all pipelines, `attributes` those of the state table that policies name.
 */
export function recordOf(
  raw: Iterable<RawCall>,
  known: {
    readonly names: ReadonlyMap<string, string>
    readonly pipelines: readonly string[]
    readonly attributes: readonly string[]
  },
): string[] {
  const lines = new Set<string>()
  const pipeline = new RegExp(`(?<=[/#]|Dray-dev_)(?:${known.pipelines.join('|')})(?=[/_:!]|$)`, 'g')
  const plain = (text: string) => {
    const named = [...known.names].reduce((so, [name, placeholder]) => so.replaceAll(name, placeholder), text)
    return named
      .replaceAll(pipeline, '<pipeline>')
      .replaceAll(TABLE, '$1<table>')
      .replaceAll(UUID, '<id>')
      .replaceAll(SECRET, '$1-xxxxxx')
  }
  for (const { action, resource, caller, context } of raw) {
    const by = callerName(caller)
    if (by === null) continue
    const kept: Record<string, string | string[]> = {}
    for (const key of KEPT) {
      const value = context[key] as string | string[] | undefined
      if (Array.isArray(value)) kept[key] = [...new Set(value.map((one) => keyOf(plain(one))))].sort()
      else if (value !== undefined) kept[key] = keyOf(plain(value))
    }
    const named = (context['dynamodb:Attributes'] as string[] | undefined)?.filter((one) =>
      known.attributes.includes(one),
    )
    if (named && named.length > 0) kept['dynamodb:Attributes'] = named
    lines.add([by, action, resourceOf(plain(resource)), JSON.stringify(kept)].join('\t'))
  }
  return [...lines].sort()
}

/** Of a replica, in a key of the bucket and in one of the state table. */
const TABLE = /(<pipeline>!|PIPELINE#<pipeline>\/)[^/]+/g
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g
const SECRET = /(:secret:.+)-\w{6}$/g

/** A key of the bucket, a prefix, or the first key of an item. */
function keyOf(text: string): string {
  return text
    .replace(/^(runs)\/[^/]+/, '$1/<run>')
    .replace(/^(runs\/<run>\/<pipeline>(?:!<table>)?)\/\d+/, '$1/<partition>')
    .replace(/^(quarantine|findings)(\/<pipeline>(?:!<table>)?)\/(?!<)[^/]+(?=\/)/, '$1$2/<run>')
    .replace(/^RUN#.*/, 'RUN#<run>')
}

function resourceOf(arn: string): string {
  const object = /^(arn:aws:s3:::[^/]+\/)(.+)$/.exec(arn)
  if (object) return `${object[1]}${keyOf(object[2] as string)}`
  return arn.replace(/(:execution:[^:]+:).+/, '$1<run>').replace(/(:function:[\w<>-]+):\d+$/, '$1:<version>')
}

/** Null for those who deploy the environment, and for the account's root. */
function callerName(arn: string): string | null {
  if (arn.endsWith(':user/person')) return PEOPLE
  const [, role = '', session] = /(?:assumed-role|role)\/([^/]+)(?:\/(.+))?$/.exec(arn) ?? []
  return role.startsWith('Dray-dev') ? granteeName(role, session === undefined ? [] : [session]) : null
}

export function parseCall(line: string): Call {
  const [by = '', action = '', resource = '', context = '{}'] = line.split('\t')
  return { by, action, resource, context: JSON.parse(context) }
}

/** Where the record is kept. */
export const recordFile: string = join(import.meta.dirname, 'recorded-calls.tsv')

export function recordedLines(): string[] {
  return readFileSync(recordFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
}

/** With the calls that S3 and SNS make for the caller: of the key that a bucket or a topic is encrypted with. */
export function withImplied(calls: readonly Call[], { keys }: Deployment): Call[] {
  return calls.flatMap((call) => {
    const { action, resource } = call
    const [service = ''] = action.split(':')
    const owner = resource.replace(/^(arn:aws:s3:::[^/]+)\/.*/, '$1')
    const key = keys.get(owner)
    const needed = key === undefined ? [] : (ofKey[action] ?? [])
    const context = { 'kms:ViaService': `${service}.eu-west-1.amazonaws.com`, 'kms:CallerAccount': ACCOUNT }
    return [call, ...needed.map((one) => ({ by: call.by, action: one, resource: key as string, context }))]
  })
}

/**
 * The parts of a multipart upload are decrypted when it is completed.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
 */
const ofKey: Readonly<Record<string, readonly string[]>> = {
  's3:GetObject': ['kms:Decrypt'],
  's3:PutObject': ['kms:GenerateDataKey', 'kms:Decrypt'],
  'sns:Publish': ['kms:GenerateDataKey', 'kms:Decrypt'],
}

/** What every call has: TLS, and who it is by. */
export function requestOf({ action, resource, context }: Call, { arn }: Grantee): Request {
  const always = { 'aws:SecureTransport': 'true', 's3:TlsVersion': '1.3', 'aws:PrincipalArn': arn }
  return { principal: arn, action, resource, context: { ...always, ...context } }
}

/** What the templates say to a call. */
export function judge(call: Call, { grantees, policies }: Deployment): Verdict {
  const grantee = grantees.find(({ name }) => name === call.by)
  if (!grantee) return { isAllowed: false, allowing: [], why: `no role is called ${call.by}` }
  const owner = call.resource.replace(/^(arn:aws:s3:::[^/]+)\/.*/, '$1')
  return evaluate(requestOf(call, grantee), grantee.statements, policies.get(owner) ?? null)
}

/** The calls that nothing allows, each in a sentence. */
export function refusals(calls: readonly Call[], deployment: Deployment): string[] {
  const lines = calls.flatMap((call) => {
    const { isAllowed, why } = judge(call, deployment)
    return isAllowed ? [] : [`${call.by} may not ${textOf(call)}: ${why}`]
  })
  return [...new Set(lines)]
}

/** `s3:ListBucket on <StagingBucket> for runs/`: what is the same in all ARNs of an account is left out. */
export function textOf({ action, resource, context }: Pick<Call, 'action' | 'resource' | 'context'>): string {
  const only = [context['s3:prefix'] ?? context['dynamodb:LeadingKeys'] ?? context['events:source'] ?? []].flat()
  return `${action} on ${shortArn(resource)}${only.length === 0 ? '' : ` for ${only.join(', ')}`}`
}

export function shortArn(arn: string): string {
  return arn.replace(/^arn:aws:[\w-]+:[\w-]*:\d*:/, '')
}
