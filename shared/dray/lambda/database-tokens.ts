import { database } from '#dray/active-record/database.ts'

const VARIABLE = /^([A-Z][A-Z0-9_]*)_DATABASE_IAM$/

/**
 * Makes databases with `<NAME>_DATABASE_IAM` sign in with a token of IAM, made anew for each connection; a token lives
 * 15 minutes, and a connection outlives it. Called before the models are imported, which then find their database here.
 */
export function useDatabaseTokens(environment: NodeJS.ProcessEnv = process.env): void {
  for (const [variable, value] of Object.entries(environment)) {
    const [, name] = VARIABLE.exec(variable) ?? []
    if (name === undefined || value !== 'true') continue
    const url = environment[`${name}_DATABASE_URL`] ?? ''
    database(name.toLowerCase().replaceAll('_', '-'), { password: () => tokenFor(url) })
  }
}

async function tokenFor(url: string): Promise<string> {
  const { hostname, port, username } = new URL(url)
  const { Signer } = await import('@aws-sdk/rds-signer')
  return new Signer({ hostname, port: Number(port), username }).getAuthToken()
}
