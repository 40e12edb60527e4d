import { type Call, requestOf, shortArn } from './calls.ts'
import type { Deployment, Grantee } from './deployment.ts'
import { applies, isLike, type Statement } from './evaluate.ts'
import { type Reason, unusedGrants } from './unused-grants.ts'

/** One action on one pattern that a statement allows, under one value of its condition. */
export interface Grant {
  readonly grantee: Grantee
  readonly action: string
  readonly resource: string
  /** The value of the condition, as `runs/*`; null without one. */
  readonly only: string | null
  readonly statement: Statement
}

/** Every grant of a role, or of the policies for people, each by itself. */
export function grantsOf(grantee: Grantee): Grant[] {
  return grantee.statements
    .filter(({ Effect }) => Effect === 'Allow')
    .flatMap((statement) => {
      const values = valuesOf(statement)
      return [statement.Action ?? []].flat().flatMap((action) =>
        [statement.Resource ?? []].flat().flatMap((resource) =>
          (values.length === 0 ? [null] : values).map((only) => {
            const alone = { ...statement, Action: action, Resource: resource, ...conditionOf(statement, only) }
            return { grantee, action, resource, only, statement: alone }
          }),
        ),
      )
    })
}

/** What the one condition of a statement lists. */
function valuesOf({ Condition = {} }: Statement): string[] {
  const values = Object.values(Condition).flatMap((keys) => Object.values(keys))
  return values.length === 1 ? [values[0] ?? []].flat() : []
}

function conditionOf({ Condition = {} }: Statement, only: string | null): Pick<Statement, 'Condition'> {
  const [operator] = Object.keys(Condition)
  const [key] = Object.keys(Condition[operator ?? ''] ?? {})
  return only === null || operator === undefined || key === undefined
    ? {}
    : { Condition: { [operator]: { [key]: only } } }
}

/** `s3:GetObject on <StagingBucket>/runs/*`, `dynamodb:PutItem on table/<StateTable> for RUN#*`. */
export function textOfGrant(grant: Grant): string {
  return `${grant.action} on ${scopeOf(grant)}`
}

/** What a grant is on, and for. */
export function scopeOf({ resource, only }: Grant): string {
  return `${shortArn(resource)}${only === null ? '' : ` for ${only}`}`
}

/** The calls that a grant allows. */
export function usesOf({ grantee, statement }: Grant, calls: readonly Call[]): Call[] {
  return calls.filter((call) => call.by === grantee.name && applies(statement, requestOf(call, grantee)))
}

/** Why a grant may be there though no run has used it. */
export function reasonOf(grant: Grant): Reason | undefined {
  const { grantee, action } = grant
  return unusedGrants.find(
    (reason) =>
      reason.by.some((one) => isLike(grantee.name, one)) &&
      reason.actions.some((one) => isLike(action, one)) &&
      (reason.on === undefined || isLike(scopeOf(grant), reason.on)),
  )
}

/** The second workflow is as the first one: what its functions may do is used by those. */
export function grantsOfAll({ grantees }: Deployment): Grant[] {
  return grantees.filter(({ name }) => !/^<?(?:Workflows)?[Ww]ide/.test(name)).flatMap(grantsOf)
}
