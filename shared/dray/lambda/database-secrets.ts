import { database } from '#dray/active-record/database.ts'
import { databasesBySecret, secretVariable, urlVariable } from '#dray/database/database-url.ts'
import { ConfigurationError } from '#dray/errors.ts'

let resolved: Promise<void> | null = null

/**
 * Sets `<NAME>_DATABASE_URL` from the secret that `<NAME>_DATABASE_URL_SECRET_ARN` names; once in the life of a Lambda,
 * and again when the database refuses the password: the secret may have been rotated.
 */
export function resolveDatabaseSecrets(environment: NodeJS.ProcessEnv = process.env): Promise<void> {
  resolved ??= resolveAll(environment).catch((error: unknown) => {
    resolved = null
    throw error
  })
  return resolved
}

async function resolveAll(environment: NodeJS.ProcessEnv): Promise<void> {
  for (const [name, arn] of databasesBySecret(environment)) {
    await resolve(name, arn, environment)
    database(name).renewUrlBy(() => resolve(name, arn, environment))
  }
}

async function resolve(name: string, arn: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const [{ readSecret }, { urlInSecret }] = await Promise.all([
    import('./read-secret.ts'),
    import('./url-in-secret.ts'),
  ])
  const text = await readSecret(arn, `the URL of the database ${name}`)
  if (text === null) {
    throw new ConfigurationError(
      `the secret that ${secretVariable(name)} names holds no text, so the database cannot be reached; store its URL in it`,
    )
  }
  environment[urlVariable(name)] = urlInSecret(text, name)
}
