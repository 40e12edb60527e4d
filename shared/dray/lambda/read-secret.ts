import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { ConfigurationError, TransientError } from '#dray/errors.ts'

/** They mean that the secret is not there, or not for this role, and that no retry changes it. */
const REFUSED = new Set([
  'AccessDeniedException',
  'DecryptionFailure',
  'InvalidParameterException',
  'InvalidRequestException',
  'ResourceNotFoundException',
  'UnrecognizedClientException',
])

let client: SecretsManagerClient | null = null

/**
 * The text of a secret, or null where it holds none. `what` says what it is, for a person. Throws `Configuration` where
 * it is not there or may not be read, else `Transient`. Imported on demand: it brings a client of the SDK.
 */
export async function readSecret(arn: string, what: string): Promise<string | null> {
  client ??= new SecretsManagerClient()
  try {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: arn }))
    return SecretString?.trim() || null
  } catch (error) {
    throw explained(error as Error, arn, what)
  }
}

function explained(error: Error, arn: string, what: string): Error {
  const { name, message } = error
  if (!REFUSED.has(name)) {
    return new TransientError(
      `Secrets Manager did not give ${what} (the secret ${arn}): ${name}: ${message}. A retry may succeed.`,
      { cause: error },
    )
  }
  return new ConfigurationError(
    `${what} cannot be read from the secret ${arn}: ${name}: ${message}. Look whether it is there: \`aws secretsmanager describe-secret --secret-id ${arn}\`. Without it: \`aws secretsmanager create-secret\` (docs/deploy.md). One that a key of yours encrypts wants \`kms:Decrypt\` for the role.`,
    { cause: error },
  )
}
