import { CreateSecretCommand, DeleteSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'

export async function createSecret(Name: string, SecretString: string): Promise<void> {
  await withClient((client) => client.send(new CreateSecretCommand({ Name, SecretString })))
}

/** Without the days that Secrets Manager would wait. A secret that is not there is none to delete. */
export async function deleteSecret(SecretId: string): Promise<void> {
  await withClient((client) =>
    client.send(new DeleteSecretCommand({ SecretId, ForceDeleteWithoutRecovery: true })).catch((error: Error) => {
      if (error.name !== 'ResourceNotFoundException') throw error
    }),
  )
}

async function withClient(work: (client: SecretsManagerClient) => Promise<unknown>): Promise<void> {
  const client = new SecretsManagerClient()
  try {
    await work(client)
  } finally {
    client.destroy()
  }
}
