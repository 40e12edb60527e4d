import * as z from 'zod'
import { ConfigurationError } from '#dray/errors.ts'

const SCHEMES = {
  postgres: 'postgres',
  postgresql: 'postgres',
  'aurora-postgresql': 'postgres',
  mysql: 'mysql',
  mariadb: 'mysql',
  aurora: 'mysql',
  'aurora-mysql': 'mysql',
} as const

/**
 * What RDS and its rotation keep in a secret:
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
 */
const rdsSecret = z.object({
  engine: z.string().refine((engine) => Object.hasOwn(SCHEMES, engine), { error: 'is not of PostgreSQL or MySQL' }),
  host: z.string().min(1),
  port: z.union([z.int(), z.string().regex(/^\d+$/)]).optional(),
  username: z.string().min(1),
  password: z.string().min(1),
  dbname: z.string().min(1),
})

/**
 * The URL of a database in the text of its secret: the text itself, or what a document of RDS says. Throws
 * `Configuration` for a document that lacks a part of it; no value is in the message.
 */
export function urlInSecret(text: string, name: string): string {
  if (!text.startsWith('{')) return text
  const { data, error } = rdsSecret.safeParse(jsonOf(text))
  if (error !== undefined) {
    const faults = error.issues.map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`)
    throw new ConfigurationError(
      `The secret of the database ${name} is a document of which no URL can be made (${faults.join('; ')}), so the database cannot be reached. It needs engine, host, username, password and dbname, the name of the database inside of the server, which RDS leaves out where it made the server without one: add what is missing (\`aws secretsmanager put-secret-value\`), or store a URL (docs/deploy.md).`,
    )
  }
  const { username, password, host, port, dbname } = data
  const scheme = SCHEMES[data.engine as keyof typeof SCHEMES]
  const at = `${host}${port === undefined ? '' : `:${port}`}`
  return `${scheme}://${encodeURIComponent(username)}:${encodeURIComponent(password)}@${at}/${encodeURIComponent(dbname)}`
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
