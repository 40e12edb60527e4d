import { ConfigurationError } from 'dray/internal/errors.ts'
import { stackNameOf } from '#dray-infra/aws/stack-outputs.ts'

const EXPIRED = /^(ExpiredToken|ExpiredTokenException|RequestExpired|TokenRefreshRequired|TokenProviderError)$/
const invalid =
  /^(InvalidClientTokenId|UnrecognizedClientException|InvalidSignatureException|SignatureDoesNotMatch|InvalidAccessKeyId|IncompleteSignature(Exception)?|AuthFailure|MissingAuthenticationToken(Exception)?)$/
const DENIED = /^(AccessDenied|AccessDeniedException|UnauthorizedOperation|NotAuthorized)$/
/** What the policy for databases allows, and the operator policy does not. */
const OF_DATABASES = /perform: (secretsmanager|lambda):/
const UNREACHABLE = /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|TimeoutError)$/

/** An error of the SDK, or one that it caused, as a `Configuration` that says what to do; others as they are. */
export function explained(error: unknown, environment: string): unknown {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const sentence = sentenceFor(cause, environment)
    if (sentence !== null) return new ConfigurationError(sentence, { cause: error })
  }
  return error
}

function sentenceFor(error: Error & { readonly code?: unknown }, environment: string): string | null {
  const { name, message } = error
  const nothing = `so ${environment} cannot be worked with`
  if (message === 'Region is missing') {
    return `No region of AWS is known, ${nothing}; set AWS_REGION, or region of ${environment} in infra/environments.ts.`
  }
  if (name === 'CredentialsProviderError' && !/expired/i.test(message)) {
    return `There are no credentials of AWS, ${nothing}: ${trimmed(message)}; sign in with \`aws sso login\` and set AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.`
  }
  if (EXPIRED.test(name) || name === 'CredentialsProviderError') {
    return `The credentials of AWS have expired, ${nothing}; sign in again, for example with \`aws sso login\`.`
  }
  if (invalid.test(name)) {
    return `AWS does not know these credentials, ${nothing}: ${trimmed(message)}; check AWS_PROFILE or AWS_ACCESS_KEY_ID, and the clock of this machine.`
  }
  if (DENIED.test(name)) {
    if (OF_DATABASES.test(message)) {
      return `AWS refused, so the databases of ${environment} are not asked: ${trimmed(message)}; your role needs the database policy of ${stackNameOf(environment)} besides the operator policy (docs/operations.md).`
    }
    return `AWS refused, ${nothing}: ${trimmed(message)}; your role needs the operator policy of ${stackNameOf(environment)} (docs/operations.md).`
  }
  if (name === 'StateMachineDoesNotExist') {
    return `${environment} has no such workflow (${trimmed(message)}), so nothing was started; it has been added since the last deployment: \`npx dray deploy ${environment}\`.`
  }
  if (name === 'ValidationError' && /does not exist/.test(message)) {
    return `There is no stack ${stackNameOf(environment)} in this account and region, ${nothing}; deploy it with \`npx dray deploy ${environment}\`, or set AWS_PROFILE and AWS_REGION to where it is.`
  }
  // Databases may be unreachable, too; the SDK alone leaves this behind.
  if ('$metadata' in error && UNREACHABLE.test(String(error.code ?? name))) {
    return `AWS cannot be reached from here, ${nothing}: ${trimmed(message || name)}; check the network, and that the region is spelt right.`
  }
  return null
}

/** Whether an error may pass by itself: the network or a service is away, or busy. */
export function mayPass(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { name, code, $metadata } = error as Error & {
    readonly code?: unknown
    readonly $metadata?: { readonly httpStatusCode?: number }
  }
  const status = $metadata?.httpStatusCode
  if (name === 'Transient' || /Throttl|TooManyRequests/.test(name) || (status ?? 0) >= 500) return true
  return $metadata !== undefined && status === undefined && UNREACHABLE.test(String(code ?? name))
}

function trimmed(message: string): string {
  return message.trim().replace(/\.$/, '')
}
