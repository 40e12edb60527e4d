import { Stack, Validations } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'

/** Accepts what cdk-nag finds in a construct and in all below it, with the reason why it is right there. */
export function acknowledge(construct: IConstruct, rule: string, reason: string): void {
  Validations.of(construct).acknowledge({ id: rule, reason })
}

/** A resource as cdk-nag writes it in its findings: `<Bucket.Arn>/runs/*`. */
export function nameInFindings(scope: IConstruct, resource: string): string {
  return textOf(Stack.of(scope).resolve(resource))
}

type Intrinsic =
  | string
  | { readonly Ref: string }
  | { readonly 'Fn::GetAtt': readonly [string, string] }
  | { readonly 'Fn::Join': readonly [string, readonly Intrinsic[]] }

function textOf(value: Intrinsic): string {
  if (typeof value === 'string') return value
  if ('Ref' in value) return `<${value.Ref}>`
  if ('Fn::GetAtt' in value) return `<${value['Fn::GetAtt'].join('.')}>`
  const [separator, parts] = value['Fn::Join']
  return parts.map(textOf).join(separator)
}
