import {
  CreateSecretCommand,
  DeleteSecretCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'

/** Makes a secret, or gives another text to the one that is there. */
export async function writeSecret(name: string, text: string): Promise<void> {
  await withClient(async (client) => {
    try {
      await client.send(new CreateSecretCommand({ Name: name, SecretString: text }))
    } catch (error) {
      if ((error as Error).name !== 'ResourceExistsException') throw error
      await client.send(new PutSecretValueCommand({ SecretId: name, SecretString: text }))
    }
  })
}

/** Without the days that Secrets Manager would wait. A secret that is not there is none to delete. */
export async function deleteSecret(name: string): Promise<void> {
  await withClient(async (client) => {
    try {
      await client.send(new DeleteSecretCommand({ SecretId: name, ForceDeleteWithoutRecovery: true }))
    } catch (error) {
      if ((error as Error).name !== 'ResourceNotFoundException') throw error
    }
  })
}

async function withClient(work: (client: SecretsManagerClient) => Promise<void>): Promise<void> {
  const client = new SecretsManagerClient()
  try {
    await work(client)
  } finally {
    client.destroy()
  }
}
