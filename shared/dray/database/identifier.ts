import { ConfigurationError } from '#dray/errors.ts'
import type { Dialect } from './adapter.ts'

const DATABASES: Readonly<Record<Dialect, string>> = { postgres: 'PostgreSQL', mysql: 'MySQL', sqlite: 'SQLite' }
const POSTGRES_BYTES = 63
const MYSQL_CHARACTERS = 64

function fault(dialect: Dialect, name: string): string | null {
  if (name === '') return 'is empty'
  if (name.includes('\0')) return 'holds a NUL character'
  if (!name.isWellFormed()) return 'holds half of a surrogate pair'
  // PostgreSQL would cut it off, and take two long names for one.
  if (dialect === 'postgres' && Buffer.byteLength(name) > POSTGRES_BYTES)
    return `is longer than ${POSTGRES_BYTES} bytes`
  if (dialect !== 'mysql') return null
  if (/[\u{10000}-\u{10ffff}]/u.test(name)) return 'holds a character beyond U+FFFF'
  if (name.endsWith(' ')) return 'ends with a space'
  return name.length > MYSQL_CHARACTERS ? `is longer than ${MYSQL_CHARACTERS} characters` : null
}

/** Refuses a name of a table or a column that the database cannot hold as it is. Throws `Configuration`. */
export function checkIdentifier(dialect: Dialect, name: string): string {
  const found = fault(dialect, name)
  if (found === null) return name
  const shown = name.length > 80 ? `${name.slice(0, 80)}…` : name
  throw new ConfigurationError(
    `the name ${JSON.stringify(shown)} ${found}, which ${DATABASES[dialect]} does not allow in the name of a table or column, so nothing was done; correct it in the model`,
  )
}
