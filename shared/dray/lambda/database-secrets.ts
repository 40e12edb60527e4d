import { databasesBySecret, secretVariable, urlVariable } from '#dray/database/database-url.ts'
import { ConfigurationError } from '#dray/errors.ts'

let resolved: Promise<void> | null = null

/**
 * Sets `<NAME>_DATABASE_URL` from the secret that `<NAME>_DATABASE_URL_SECRET_ARN` names; once in the life of a Lambda.
 */
export function resolveDatabaseSecrets(environment: NodeJS.ProcessEnv = process.env): Promise<void> {
  resolved ??= resolveAll(environment).catch((error: unknown) => {
    resolved = null
    throw error
  })
  return resolved
}

async function resolveAll(environment: NodeJS.ProcessEnv): Promise<void> {
  const arns = databasesBySecret(environment)
  if (arns.length === 0) return
  const { readSecret } = await import('./read-secret.ts')
  for (const [name, arn] of arns) {
    const url = await readSecret(arn, `the URL of the database ${name}`)
    if (url === null) {
      throw new ConfigurationError(
        `the secret that ${secretVariable(name)} names holds no text, so the database cannot be reached; store its URL in it`,
      )
    }
    environment[urlVariable(name)] = url
  }
}
