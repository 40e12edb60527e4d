import { ConfigurationError } from 'dray/internal/errors.ts'
import { EMULATED } from './emulated-name.ts'
import type { Environment } from './environment.ts'

type Known = Pick<Environment, 'name'> & { readonly databases: Readonly<Record<string, unknown>> }

/** What to add for each database that an environment does not know; null where it knows all of them. */
export function unknownDatabases({ name, databases }: Known, wanted: readonly string[]): string | null {
  const unknown = [...new Set(wanted)].filter((database) => !Object.hasOwn(databases, database)).sort()
  if (unknown.length === 0) return null
  const [first] = unknown
  const said = `the environment ${name} does not say where ${unknown.length === 1 ? `the database ${first} is` : `${unknown.length} databases are (${unknown.join(', ')})`}`
  const lines = (text: (database: string) => string) =>
    unknown.map((database) => `${keyOf(database)}: ${text(database)}`).join(', ')
  if (name === EMULATED)
    return `${said}; add to the databases of infra/project.ts: ${lines(() => "{ embedded: 'postgres' }")}`
  const secretOf = (database: string) => `/dray/${name}/${database}/url`
  const added = lines((database) => `{ engine: 'postgres', secret: '${secretOf(database)}' }`)
  const commands = unknown.map(
    (database) =>
      `\`aws secretsmanager create-secret --name ${secretOf(database)} --secret-string file://${database}.url\``,
  )
  return `${said}; add to its databases in infra/environments.ts: ${added} (or engine: 'mysql'), and store each URL, from a file that holds it alone: ${commands.join(', ')}`
}

/** Throws `Configuration`, once for all databases of all environments. */
export function refuseUnknownDatabases(environments: readonly Known[], wanted: readonly string[], what: string): void {
  const said = environments.flatMap((environment) => unknownDatabases(environment, wanted) ?? [])
  if (said.length > 0) throw new ConfigurationError(`${what}, since ${said.join('; ')}.`)
}

function keyOf(name: string): string {
  return name.includes('-') ? `'${name}'` : name
}
