/*
 * What IAM says to a request: identity policies of the caller and the policy of the resource, in one account. An
 * operator of conditions that is not here is an error, not a guess.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */

/** A condition key has one value, or several; keys are compared without regard to case. */
export type Context = Readonly<Record<string, string | readonly string[]>>

export interface Request {
  /** The ARN of a role or a user. */
  readonly principal: string
  readonly action: string
  readonly resource: string
  readonly context: Context
}

type Few = string | readonly string[]

export interface Statement {
  readonly Effect: 'Allow' | 'Deny'
  readonly Action?: Few
  readonly NotAction?: Few
  readonly Resource?: Few
  readonly NotResource?: Few
  readonly Principal?: '*' | Readonly<Record<string, Few>>
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, Few>>>>
}

export interface Verdict {
  readonly isAllowed: boolean
  /** The identity's statements that allow it. */
  readonly allowing: readonly Statement[]
  /** Why it is refused; null when it is not. */
  readonly why: string | null
}

/** The policy of a resource allows by itself, lets the account's own policies decide, or does neither. */
type OfResource = 'allows' | 'delegates' | 'silent'

/**
 * Judges a request by the caller's statements and by those of the resource, null where it has none. A key has its
 * policy first: what this does not leave to the account, no role may do.
 */
export function evaluate(
  request: Request,
  identity: readonly Statement[],
  resource: readonly Statement[] | null,
): Verdict {
  const applying = identity.filter((statement) => applies(statement, request))
  const told = (resource ?? []).filter((statement) => applies(statement, request) && names(statement, request))
  const denying = [...applying, ...told].find(({ Effect }) => Effect === 'Deny')
  const allowing = applying.filter(({ Effect }) => Effect === 'Allow')
  if (denying) return { isAllowed: false, allowing: [], why: `a statement denies it: ${JSON.stringify(denying)}` }
  const ofResource = wordOf(told, request)
  if (request.action.startsWith('kms:') && ofResource === 'silent') {
    return { isAllowed: false, allowing: [], why: "the key's policy does not let the account's policies decide" }
  }
  if (allowing.length === 0 && ofResource !== 'allows') {
    return { isAllowed: false, allowing: [], why: 'no statement allows it' }
  }
  return { isAllowed: true, allowing, why: null }
}

function wordOf(told: readonly Statement[], { principal }: Request): OfResource {
  const allowing = told.filter(({ Effect }) => Effect === 'Allow')
  if (allowing.length === 0) return 'silent'
  const isDirect = ({ Principal }: Statement) => principalsOf(Principal).some((one) => one === '*' || one === principal)
  return allowing.some(isDirect) ? 'allows' : 'delegates'
}

function names({ Principal }: Statement, { principal }: Request): boolean {
  const account = principal.split(':')[4]
  return principalsOf(Principal).some(
    (one) => one === '*' || one === principal || one === account || one.endsWith(`::${account}:root`),
  )
}

/** Those of IAM: services call for themselves, never as a role. */
function principalsOf(principal: Statement['Principal']): readonly string[] {
  return principal === '*' ? ['*'] : list(principal?.AWS)
}

/** Whether a statement is about a request, whatever it says to it. */
export function applies(statement: Statement, { action, resource, context }: Request): boolean {
  const { Action, NotAction, Resource, NotResource, Condition = {} } = statement
  const isOn = (patterns: Few | undefined, value: string) => list(patterns).some((one) => isLike(value, one))
  const lower = (few: Few | undefined) => list(few).map((one) => one.toLowerCase())
  if (Action !== undefined && !isOn(lower(Action), action.toLowerCase())) return false
  if (NotAction !== undefined && isOn(lower(NotAction), action.toLowerCase())) return false
  if (Resource !== undefined && !isOn(Resource, resource)) return false
  if (NotResource !== undefined && isOn(NotResource, resource)) return false
  return Object.entries(Condition).every(([operator, keys]) =>
    Object.entries(keys).every(([key, wanted]) => holds(operator, valuesOf(context, key), list(wanted))),
  )
}

/** `*` stands for any characters, slashes among them, `?` for one. */
export function isLike(value: string, pattern: string): boolean {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's').test(value)
}

const operators: Readonly<Record<string, (value: string, wanted: string) => boolean>> = {
  StringEquals: (value, wanted) => value === wanted,
  StringLike: isLike,
  ArnLike: isLike,
  ArnEquals: isLike,
  Bool: (value, wanted) => value.toLowerCase() === wanted.toLowerCase(),
  NumericLessThan: (value, wanted) => Number(value) < Number(wanted),
}

function holds(operator: string, values: readonly string[] | null, wanted: readonly string[]): boolean {
  const [, set, name = ''] = /^(?:(ForAllValues|ForAnyValue):)?(\w+)$/.exec(operator) ?? []
  const compare = operators[name]
  if (compare === undefined) throw new Error(`Conditions by ${operator} are not known here: add it to ${FILE}.`)
  const isWanted = (value: string) => wanted.some((one) => compare(value, String(one)))
  if (set === 'ForAllValues') return (values ?? []).every(isWanted)
  if (set === 'ForAnyValue') return (values ?? []).some(isWanted)
  return values !== null && values.length > 0 && values.every(isWanted)
}

const FILE = 'test/dray/aws/grants/evaluate.ts'

function valuesOf(context: Context, key: string): readonly string[] | null {
  const [, found] = Object.entries(context).find(([name]) => name.toLowerCase() === key.toLowerCase()) ?? []
  return found === undefined ? null : list(found)
}

function list(few: Few | undefined): readonly string[] {
  return few === undefined ? [] : [few].flat()
}
