import { database } from '#dray/active-record/database.ts'
import { databasesByIam, urlVariable } from '#dray/database/database-url.ts'

/**
 * Makes databases with `<NAME>_DATABASE_IAM` sign in with a token of IAM, made anew for each connection; a token lives
 * 15 minutes, and a connection outlives it. Called before the models are imported, which then find their database here.
 */
export function useDatabaseTokens(environment: NodeJS.ProcessEnv = process.env): void {
  for (const name of databasesByIam(environment)) {
    const url = environment[urlVariable(name)] ?? ''
    database(name, { password: () => tokenFor(url) })
  }
}

/** The password of a user of IAM: good for its own host, port and user. */
export async function tokenFor(url: string): Promise<string> {
  const { hostname, port, username } = new URL(url)
  const { Signer } = await import('@aws-sdk/rds-signer')
  return new Signer({ hostname, port: Number(port), username }).getAuthToken()
}
