import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent } from 'node:https'
import { createRequire } from 'node:module'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { ObservedEmulator } from './emulator.ts'

/* What an account has before Dray comes: credentials, secrets, and what the CDK wants. */

/** What a client of the SDK takes, as the account's root. */
export function clientOf({ variables, ca }: ObservedEmulator) {
  return {
    endpoint: variables.AWS_ENDPOINT_URL as string,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    requestHandler: { httpsAgent: new Agent({ ca }) },
  }
}

/** By their names below those of the environment dev. */
export async function putSecrets(emulator: ObservedEmulator, values: Readonly<Record<string, string>>): Promise<void> {
  const secrets = new SecretsManagerClient(clientOf(emulator))
  for (const [name, SecretString] of Object.entries(values))
    await secrets.send(new CreateSecretCommand({ Name: `/dray/dev/${name}`, SecretString }))
  secrets.destroy()
}

/** In a folder that is no project's. */
export async function bootstrap({ folder, variables }: ObservedEmulator, home: string): Promise<void> {
  const cdk = createRequire(import.meta.url).resolve('aws-cdk/bin/cdk')
  const env = { ...process.env, ...variables, HOME: home }
  const args = [cdk, 'bootstrap', 'aws://000000000000/eu-west-1']
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: 'ignore' })
  assert.deepEqual(await once(child, 'exit'), [0, null])
}
