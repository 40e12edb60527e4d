import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'

let client: SecretsManagerClient | null = null

/** The text of a secret, or null where it holds none. Imported on demand: it brings a client of the SDK. */
export async function readSecret(arn: string): Promise<string | null> {
  client ??= new SecretsManagerClient()
  const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: arn }))
  return SecretString?.trim() || null
}
